"""Commands that train: a recipe, and the demo."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console, tables
from nasion.app.cli.label_options import as_words, reads_labels
from nasion.app.cli.options import SeveralData
from nasion.errors import SettingError, requires_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasion.data.label_reading import LabelReading
    from nasion.data.suspects import Audit
    from nasion.recipe import Recipe
    from nasion.training.state import Observer
    from nasion.training.train import TrainingResult


@reads_labels
def train(
    data: SeveralData,
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe's name (see: nasion recipes), or a recipe file of your own (.py). "
            "Recipe files are Python and are run: use only those that you trust.",
            metavar="[RECIPE]",
        ),
    ] = "finetune",
    init_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start from the weights of this shipped model, run folder or exported .onnx file.",
            show_default="the recipe's init_from",
        ),
    ] = None,
    val: Annotated[
        list[str] | None,
        typer.Option(
            "--val",
            help="Validate on this dataset, and train on all of --data. Repeat for several.",
            show_default="a fifth of --data is held out",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            help="Cross-validation: train once for each of so many parts, which it holds out.",
        ),
    ] = None,
    audited: Annotated[
        bool,
        typer.Option(
            "--audited",
            help="Train without the labels that `nasion data audit` has found wrong; validation "
            "keeps them.",
        ),
    ] = False,
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
    *,
    reading: LabelReading,
) -> None:
    """Train a recipe on a dataset. Ctrl-C saves; --resume continues with the same numbers.

    Without a recipe, a shipped network is fine-tuned to the points that the data label.
    """
    from nasion.training.state import Interrupted

    if val and folds:
        raise SettingError("--val and --folds exclude each other: folds are parts of --data.")
    folder = run or Path("runs") / Path(recipe).stem
    changes = [*([f"init_from={init_from}"] if init_from else []), *(set or [])]
    sources = [*(f"--data {quote(path)}" for path in data)]
    sources += [f"--val {quote(path)}" for path in val or ()]
    sources += [f"--folds {folds}"] if folds else []
    options = as_words(reading)
    paths: str | list[str] = data[0] if len(data) == 1 else data
    sources += ["--audited"] if audited else []
    audits = _audits_of(data) if audited else ()
    start = _Start(recipe, paths, folder, changes, resume, reading, audits)
    try:
        if folds:
            _train_folds(start, folds)
            # Of several datasets the faces have other names.
            evaluated = None if len(data) > 1 else quote(data[0])
        else:
            _train_once(start, val)
            evaluated = f"{quote(val[0])} --split all" if val else quote(data[0])
    except Interrupted as stop:
        console.page(
            f"{stop}\nContinue with: nasion train {quote(recipe)} {' '.join(sources)} "
            f"--run {quote(str(folder))} --resume{options}",
            stderr=True,
        )
        # 128 + SIGINT, as shells report a command that Ctrl-C stopped.
        raise typer.Exit(130) from stop
    if evaluated:
        console.say(
            f"Evaluate it with: nasion evaluate {quote(str(folder))} --data {evaluated}{options}"
        )


@dataclass(frozen=True)
class _Start:
    """What a training begins with, of one run or several."""

    recipe: str
    data: str | list[str]
    folder: Path
    changes: list[str]
    resume: bool
    reading: LabelReading
    audits: Sequence[Audit]

    def settings(self, folder: Path) -> Recipe:
        """The recipe of the run in this folder."""
        from nasion.inference import run_folder
        from nasion.recipe_settings import override
        from nasion.recipes import recipe_module

        module = recipe_module(self.recipe)
        # Checked also when resuming: a wrong name is an error.
        value = override(module.RECIPE, self.changes)
        resumed = self.resume and (folder / run_folder.SETTINGS).is_file()
        return run_folder.read_recipe(folder, module) if resumed else value


def _audits_of(data: list[str]) -> tuple[Audit, ...]:
    from nasion.data.suspects import audit_of

    return tuple(audit_of(path) for path in data)


def _train_once(start: _Start, val: list[str] | None) -> None:
    import nasion
    from nasion.training.progress import TerminalBar

    value = start.settings(start.folder)
    with TerminalBar(console.rich_console(stderr=True)) as bar:
        done = nasion.train(
            start.recipe,
            start.data,
            validation=val,
            run_folder=start.folder,
            changes=start.changes,
            resume=start.resume,
            reading=start.reading,
            audits=start.audits,
            observers=(bar, *_tensorboard(value, start.folder)),
        )
    console.say(f"{_outcome(done)}. The run is in {done.folder}")


def _outcome(done: TrainingResult) -> str:
    """Which weights were kept, and their validation score."""
    state = done.state
    last = f"{state.history[-1]['val']:.4g}" if state.history else ""
    best = f"validation score {state.best:.4g}"
    if not last:
        return f"The starting weights are kept: {best}"
    if state.best_epoch < 0:
        best = f"No epoch was better than the starting weights: {best}"
    else:
        best = f"Best epoch {state.best_epoch + 1}: {best}"
    return f"{best}; the last epoch, {last}, is kept" if done.recipe.keep == "last" else best


def _train_folds(start: _Start, folds: int) -> None:
    import nasion
    from nasion.training.progress import TerminalBar

    with ExitStack() as bars:

        def observers(run: Path) -> tuple[Observer, ...]:
            bars.close()
            console.say_bold(f"{run.name} of {folds}", stderr=True)
            bar = bars.enter_context(TerminalBar(console.rich_console(stderr=True)))
            return (bar, *_tensorboard(start.settings(run), run))

        result = nasion.cross_validate(
            start.recipe,
            start.data,
            folds=folds,
            run_folder=start.folder,
            changes=start.changes,
            resume=start.resume,
            reading=start.reading,
            audits=start.audits,
            observers=observers,
        )
    tables.show_folds(result)
    console.say(f"The runs and cross_validation.json are in {result.folder}")


def _tensorboard(recipe: Recipe, folder: Path) -> list[Observer]:
    from nasion.models import keras_backend
    from nasion.training.progress import tensorboard

    if recipe.framework == "keras" and keras_backend.backend() == "tensorflow":
        return []  # Keras writes its own
    return tensorboard(folder)


def demo(
    folder: Annotated[
        Path, typer.Option("--out", readable=False, help="Folder of the demo's run and report.")
    ] = Path("demo"),
    faces: Annotated[int, typer.Option(min=20, help="How many toy faces are drawn.")] = 2000,
    epochs: Annotated[int, typer.Option(min=1, help="How long it trains.")] = 30,
) -> None:
    """Draw toy faces, train a small network on partly missing labels, evaluate it, write a report.

    Needs no data.
    """
    with requires_extra("The demo", "pytorch"):
        from nasion.app.demo import run_demo

    result, page = run_demo(folder, faces, epochs, console.rich_console(stderr=True))
    tables.show_scores(result)
    console.say(f"Report: {page.resolve()}")
