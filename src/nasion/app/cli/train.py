"""Commands that train: a recipe, and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console
from nasion.app.cli.options import Exif, Missing, SeveralData, SkipFaults, label_reading
from nasion.errors import requires_extra

if TYPE_CHECKING:
    from nasion.recipe import Recipe
    from nasion.training.state import Observer


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe's name (see: nasion recipes), or a recipe file of your own.",
            metavar="RECIPE",
        ),
    ],
    data: SeveralData,
    run: Annotated[
        Path | None, typer.Option(help="The run folder.", show_default="runs/RECIPE")
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option(help="Change a setting, as optim.lr=1e-4. Repeat for several."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue where the run in this folder stopped.")
    ] = False,
    skip_faults: SkipFaults = False,
    missing: Missing = None,
    exif: Exif = None,
) -> None:
    """Train a recipe on a dataset. Ctrl-C saves; --resume continues with the same numbers."""
    import nasion
    from nasion.inference import run_folder
    from nasion.recipe_settings import override
    from nasion.recipes import recipe_module
    from nasion.training.progress import TerminalBar
    from nasion.training.state import Interrupted

    folder, changes = run or Path("runs") / Path(recipe).stem, set or []
    module = recipe_module(recipe)
    value = override(module.RECIPE, changes)
    if resume:
        value = run_folder.read_recipe(folder, module)
    reading = label_reading(missing, exif)
    options = " --skip-faults" if skip_faults else ""
    options += f" --missing {missing}" if missing else ""
    options += f" --exif {exif}" if exif else ""
    paths = " ".join(f"--data {path}" for path in data)
    with TerminalBar(console.err) as bar:
        try:
            done = nasion.train(
                recipe,
                data[0] if len(data) == 1 else data,
                run_folder=folder,
                changes=changes,
                resume=resume,
                skip_faults=skip_faults,
                reading=reading,
                observers=(bar, *_tensorboard(value, folder)),
            )
        except Interrupted as stop:
            bar.__exit__()
            console.err.print(
                f"{stop}\nContinue with: nasion train {recipe} {paths} --run {folder} "
                f"--resume{options}",
                soft_wrap=True,
            )
            # 128 + SIGINT, as shells report a command that Ctrl-C stopped.
            raise typer.Exit(130) from stop
    state = done.state
    kept = ""
    if value.keep == "last":
        kept = f"; the last epoch, {state.history[-1]['val']:.4g}, is kept"
    best = f"Best epoch {state.best_epoch + 1}: validation score {state.best:.4g}{kept}."
    console.say(f"{best} The run is in {done.folder}")
    console.say(f"Evaluate it with: nasion evaluate {done.folder} --data {data[0]}{options}")


def _tensorboard(recipe: Recipe, folder: Path) -> list[Observer]:
    from nasion.models import keras_backend
    from nasion.training.progress import tensorboard

    if recipe.framework == "keras" and keras_backend.backend() == "tensorflow":
        return []  # Keras writes its own
    return tensorboard(folder)


def demo(
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of the demo's run and report.")
    ] = Path("demo"),
    faces: Annotated[int, typer.Option(min=20, help="How many toy faces are drawn.")] = 2000,
    epochs: Annotated[int, typer.Option(min=1, help="How long it trains.")] = 30,
) -> None:
    """Draw toy faces, train a small network on partly missing labels, evaluate it, write a report.

    Needs no data.
    """
    with requires_extra("The demo", "pytorch"):
        from nasion.app.demo import run_demo

    result, page = run_demo(folder, faces, epochs, console.err)
    console.show_scores(result)
    console.say(f"Report: {page.resolve()}")
