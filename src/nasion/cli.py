"""The command line. What a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion import terminal
from nasion.errors import NasionError, SettingError

if TYPE_CHECKING:
    from nasion.evaluation import Judgement
    from nasion.predict import Model
    from nasion.scheme import Scheme

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Train, judge and run facial keypoint detectors.")
data_app = typer.Typer(no_args_is_help=True, help="Look at a data set, find its faults.")
app.add_typer(data_app, name="data")


Data = Annotated[str, typer.Option("--data", help="Folder or file of the data set (toy:COUNT for drawn faces).")]
DataPath = Annotated[str, typer.Argument(help="Folder or file of the data set (toy:COUNT for drawn faces).")]
Kind = Annotated[str | None, typer.Option("--dataset", help="Which data set it is, where the path does not tell.")]
SchemeName = Annotated[str | None, typer.Option("--scheme", help="The scheme of a CSV table of points, as ibug68.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="The recipe file that the run was made with, if it defines parts of its own.")]
SkipFaults = Annotated[bool, typer.Option("--skip-faults", help="Leave faulty rows out instead of stopping at the first.")]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see: nasion recipes) or a recipe file of your own.")],
    data: Data,
    run: Annotated[Path | None, typer.Option(help="The run's folder.", show_default="runs/RECIPE")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Change a setting, as optim.lr=1e-4; may be given again.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in this folder stopped.")] = False,
    skip_faults: SkipFaults = False,
) -> None:
    """Train a recipe on a data set; Ctrl-C saves, --resume goes on with the same numbers."""
    _need_torch()
    from nasion import experiment, recipes
    from nasion import run as runs
    from nasion.progress import TerminalBar, tensorboard
    from nasion.recipe import override
    from nasion.training import Interrupted

    folder = run or Path("runs") / Path(recipe).stem
    parts = recipes.module(recipe)
    value = runs.recipe_of(folder, parts) if resume else override(parts.RECIPE, set or [])
    skipping = " --skip-faults" if skip_faults else ""
    with TerminalBar(value, terminal.err) as bar:
        watchers = (bar, *tensorboard(folder))
        try:
            done = experiment.train(recipe, data, run_folder=folder, changes=set or [], resume=resume, skip_faults=skip_faults, watchers=watchers)
        except Interrupted as stop:
            bar.__exit__()
            terminal.err.print(f"{stop}\nGo on with: nasion train {recipe} --data {data} --run {folder} --resume{skipping}", soft_wrap=True)
            raise typer.Exit(130) from stop
    terminal.out.print(f"Best epoch {done.state.best_epoch + 1}: validation score {done.state.best:.4g}. The run is in {done.folder}", soft_wrap=True)
    terminal.out.print(f"Judge it with: nasion evaluate {done.folder} --data {data}{skipping}", soft_wrap=True)


@app.command()
def evaluate(
    data: Data,
    run: Annotated[Path | None, typer.Argument(help="A run's folder.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Instead of a run: any tool's predicted points, as CSV.")] = None,
    split: Annotated[str | None, typer.Option(help="Which faces to judge on.", show_default="val for a run, all for a table")] = None,
    norm: Annotated[
        str | None, typer.Option(help="box, outer_eye_corners, pupils, or two groups of points a,b:c,d.", show_default="the scheme's own")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of failure rate and AUC, in % of the norm.", show_default="box 7, pupils 10, else 8")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the scores here as well.")] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Where report.html, scores.json and predictions.csv go.", show_default="RUN/evaluation-SPLIT")
    ] = None,
    dataset: Kind = None,
    scheme: SchemeName = None,
    skip_faults: SkipFaults = False,
    recipe: RecipeFile = None,
) -> None:
    """Judge a run, or any tool's predictions, on labelled faces."""
    from nasion import load
    from nasion.datasets import points_csv
    from nasion.evaluation import evaluate as judge

    what = run or predictions
    if what is None or (run and predictions):
        raise SettingError("Say what to judge: a run's folder, or --predictions FILE.")
    split = split or ("val" if run else "all")
    model = _model(run, recipe) if run else None
    faces = load.load_faces(dataset, data, split, scheme=_scheme(scheme), skip_faults=skip_faults)
    judged = points_csv.read_predictions(predictions, faces.scheme) if predictions else model
    result = judge(judged, faces, norm=norm, threshold=None if threshold is None else threshold / 100)
    # Files first: what is printed may go to a pipe that closes.
    if json:
        import json as json_module

        from nasion.files import write_text

        write_text(json, json_module.dumps(result.to_json(), indent=1))
    folder = out_folder or (run / f"evaluation-{split}" if run else Path(f"{what.stem}-evaluation"))
    said = _write_report(result, folder, run, f"{what.name} on {Path(data).name}, {split}")
    terminal.show_scores(result)
    terminal.out.print(said, soft_wrap=True)


@app.command()
def submit(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("submission.csv"),
    recipe: RecipeFile = None,
) -> None:
    """Write Kaggle's submission file for the test pictures in the data folder."""
    model = _model(run, recipe)
    from nasion.submit import write_kaggle

    rows = write_kaggle(model, Path(data), output)
    terminal.out.print(f"{rows} rows written to {output}", soft_wrap=True)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where the demo's run and report go.")] = Path("demo"),
    faces: Annotated[int, typer.Option(min=20, help="How many toy faces are drawn.")] = 2000,
    epochs: Annotated[int, typer.Option(min=1, help="How long it trains.")] = 30,
) -> None:
    """Draw toy faces, train a small network on partly missing labels, judge it and write a report. Needs no data."""
    _need_torch()
    from nasion.demo import run_demo

    result, page = run_demo(folder, faces, epochs, terminal.err)
    terminal.show_scores(result)
    terminal.out.print(f"The report: {page.resolve()}", soft_wrap=True)


@data_app.command("show")
def data_show(
    path: DataPath,
    split: Annotated[str, typer.Option(help="Which faces.")] = "all",
    picture: Annotated[Path, typer.Option("-o", "--output", help="Where the contact sheet goes.")] = Path("contact_sheet.png"),
    dataset: Kind = None,
    scheme: SchemeName = None,
    skip_faults: SkipFaults = False,
) -> None:
    """Counts, missing labels, sources, duplicates, sizes, and a contact sheet."""
    from nasion import draw, load
    from nasion.files import written_beside
    from nasion.survey import survey

    faces = load.load_faces(dataset, path, split, scheme=_scheme(scheme), skip_faults=skip_faults)
    found = survey(faces)
    terminal.show_survey(found)
    if "pictures not found" not in found.sizes:
        with written_beside(picture) as beside:
            beside.write_bytes(draw.png(draw.contact_sheet(faces)))
        terminal.out.print(f"Contact sheet: {picture}")


@data_app.command("check")
def data_check(path: DataPath, dataset: Kind = None, scheme: SchemeName = None) -> None:
    """Every fault with its file and row (exit code 1 if any), and labels that look wrong."""
    from nasion.survey import faults

    found, doubts = faults(dataset, Path(path), _scheme(scheme))
    for fault in found:
        terminal.headed("fault", str(fault), "bold red")
    for doubt in doubts:
        terminal.headed("doubt", str(doubt), "yellow")
    terminal.out.print(f"{len(found)} faults, {len(doubts)} doubts (readable, but look at them)")
    raise typer.Exit(1 if found else 0)


@app.command()
def recipes() -> None:
    """The recipes there are, one line each."""
    from nasion import recipes as package

    for name in package.names():
        terminal.headed(name, f"{package.headline(name)}")


@app.command()
def datasets() -> None:
    """The data sets and formats there are, one line each."""
    from nasion import datasets as package

    for name in package.names():
        headline = (package.named(name).__doc__ or "").partition("\n")[0]
        terminal.headed(name, f"{headline}")


@app.command()
def schemes() -> None:
    """The landmark schemes there are."""
    from nasion.schemes import SCHEMES

    for scheme in SCHEMES.values():
        terminal.headed(scheme.name, f"{len(scheme)} points, {len(scheme.mirror)} mirror pairs")


def main() -> None:
    """Run the command line: errors that a person can act on come without a traceback, with exit code 1."""
    try:
        app()
    except NasionError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or ''} {error.strerror or error}".strip())


def _complain(text: str) -> None:
    terminal.err.print("nasion: ", style="bold red", end="")
    terminal.err.print(text, highlight=False, soft_wrap=True)
    sys.exit(1)


def _need_torch() -> None:
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise SettingError(f"This needs PyTorch ({error}); install it with: pip install 'nasion[pytorch]'") from error


def _model(run: Path, recipe: Path | None) -> Model:
    """A run's network; ``recipe``: the file that it was made with, if that defines parts of its own."""
    _need_torch()
    from nasion import recipes
    from nasion.predict import load_model

    return load_model(run, recipe=recipes.module(recipe) if recipe else None)


def _scheme(name: str | None) -> Scheme | None:
    from nasion.schemes import scheme_named

    return None if name is None else scheme_named(name)


def _write_report(result: Judgement, folder: Path, run: Path | None, title: str) -> str:
    """Write the evaluation's files; a line that says where they are."""
    from nasion import report

    history, recipe = None, ""
    if run:
        from nasion import run as runs

        history, recipe = runs.history(run), runs.settings_text(run)
    try:
        page = report.write(result, folder, title=title, history=history, recipe=recipe)
    except ImportError as error:
        return f"No report.html ({error}); it needs: pip install 'nasion[report]'"
    return f"The report: {page.resolve()}"


if __name__ == "__main__":
    main()
