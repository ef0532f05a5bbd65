"""Commands that make, judge, compare and hand in runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion import terminal
from nasion.cli.options import Average, Data, Kind, RecipeFile, Run, SchemeName, SeveralData, SkipFaults, model_of, scheme_or_none
from nasion.errors import MissingExtra, SettingError, needing

if TYPE_CHECKING:
    from nasion.evaluation import Judgement
    from nasion.faces import Faces
    from nasion.predict import Model


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see: nasion recipes) or a recipe file of your own.")],
    data: SeveralData,
    run: Annotated[Path | None, typer.Option(help="The run's folder.", show_default="runs/RECIPE")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Change a setting, as optim.lr=1e-4; may be given again.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in this folder stopped.")] = False,
    skip_faults: SkipFaults = False,
) -> None:
    """Train a recipe on a data set; Ctrl-C saves, --resume goes on with the same numbers."""
    from nasion import experiment, keras_backend, recipes
    from nasion import run as runs
    from nasion.loop import Interrupted
    from nasion.progress import TerminalBar, tensorboard
    from nasion.recipe import override

    folder = run or Path("runs") / Path(recipe).stem
    parts = recipes.module(recipe)
    value = runs.recipe_of(folder, parts) if resume else override(parts.RECIPE, set or [])
    skipping = " --skip-faults" if skip_faults else ""
    shown = " ".join(f"--data {path}" for path in data)
    with TerminalBar(terminal.err) as bar:
        # Keras writes its own under TensorFlow.
        own = value.framework == "keras" and keras_backend.backend() == "tensorflow"
        watchers = (bar, *(() if own else tensorboard(folder)))
        try:
            faces = data[0] if len(data) == 1 else data
            done = experiment.train(recipe, faces, run_folder=folder, changes=set or [], resume=resume, skip_faults=skip_faults, watchers=watchers)
        except Interrupted as stop:
            bar.__exit__()
            terminal.err.print(f"{stop}\nGo on with: nasion train {recipe} {shown} --run {folder} --resume{skipping}", soft_wrap=True)
            raise typer.Exit(130) from stop
    best = f"Best epoch {done.state.best_epoch + 1}: validation score {done.state.best:.4g}"
    kept = f"; the last, {done.state.history[-1]['val']:.4g}, is kept" if value.keep == "last" else ""
    terminal.out.print(f"{best}{kept}. The run is in {done.folder}", soft_wrap=True)
    terminal.out.print(f"Judge it with: nasion evaluate {done.folder} --data {data[0]}{skipping}", soft_wrap=True)


def evaluate(
    data: Data,
    run: Annotated[
        Path | None, typer.Argument(help="A run's folder, an exported .onnx file, or a shipped network's name (see: nasion models).")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Instead of a run: predicted points of any tool: CSV, json, jsonl, coco, or a folder of .pts.")
    ] = None,
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
    average: Average = None,
    skip_faults: SkipFaults = False,
    recipe: RecipeFile = None,
) -> None:
    """Judge a run, or any tool's predictions, on labelled faces."""
    from nasion import load
    from nasion import predictions as tables
    from nasion.evaluation import evaluate as judge

    what = run or predictions
    if what is None or (run and predictions):
        raise SettingError("Say what to judge: a run's folder, or --predictions FILE.")
    split = split or ("val" if run else "all")
    model = model_of(run, recipe, average) if run else None
    faces = load.load_faces(dataset, data, split, scheme=scheme_or_none(scheme), skip_faults=skip_faults)
    judged = tables.read(predictions, faces) if predictions else model
    result = judge(judged, faces, norm=norm, threshold=None if threshold is None else threshold / 100)
    # Files first: what is printed may go to a pipe that closes.
    if json:
        import json as json_module

        from nasion.files import write_text

        write_text(json, json_module.dumps(result.to_json(), indent=1))
    folder = out_folder or (run / f"evaluation-{split}" if run and run.is_dir() else Path(f"{what.stem}-evaluation"))
    said = _write_report(result, folder, run, f"{what.name} on {Path(data).name}, {split}", (model, faces))
    terminal.show_scores(result)
    terminal.out.print(said, soft_wrap=True)


def submit(
    run: Run,
    data: Data,
    form: Annotated[str, typer.Option("--format", help="kaggle (RowId,Location), or course68 (Id,Predicted) for an imglab file.")] = "kaggle",
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("submission.csv"),
    average: Average = None,
    recipe: RecipeFile = None,
) -> None:
    """Write a submission file: Kaggle's for its test pictures, or the course's for the boxes of an XML file."""
    model = model_of(run, recipe, average)
    from nasion.submit import write

    rows = write(model, Path(data), form, output)
    terminal.out.print(f"{rows} rows written to {output}", soft_wrap=True)


def export(
    run: Run,
    output: Annotated[Path, typer.Argument(help="The file to write: .onnx, or .keras of a Keras network.")],
    fp16: Annotated[bool, typer.Option("--fp16", help="An ONNX file's weights in 16 bits: half the file.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Convolutions in 8 bits: a quarter of the file, and faster; needs --data.")] = False,
    data: Annotated[str | None, typer.Option(help="For --int8: a data set; its training faces give the ranges, the others judge it.")] = None,
    licence: Annotated[str, typer.Option(help="What the file says about the use of its weights.")] = "not stated",
    scores_of: Annotated[
        Path | None, typer.Option(help="For a run that held no faces out: the run of the same recipe that did, whose scores it takes.")
    ] = None,
    recipe: RecipeFile = None,
) -> None:
    """Write a run's network as one file that needs no nasion, checked against the run."""
    model = model_of(run, recipe)
    from nasion.export import export as write
    from nasion.load import load_sides

    if fp16 and int8:
        raise SettingError("--fp16 and --int8 exclude each other; take one.")
    if scores_of is not None:
        from nasion.predict import with_scores_of

        model = with_scores_of(model, model_of(scores_of, recipe))
    sides = load_sides(None, data, scheme=model.recipe.scheme) if data else None
    difference = write(model, output, "int8" if int8 else "float16" if fp16 else "float32", sides[0] if sides else None, licence)
    said = f"{output}: {output.stat().st_size / 1e6:.1f} MB; it differs from the run in float32 by {difference:.2g} pixels at most (32 pictures)"
    terminal.out.print(said + (", before it was brought to 8 bits" if int8 else ""), soft_wrap=True)
    if sides and sides[1].labelled.any():
        _judged_before_and_after(model, output, sides[1])


def _judged_before_and_after(model: Model, output: Path, faces: Faces) -> None:
    """How good the run and the file are on faces that gave no ranges."""
    from nasion.evaluation import evaluate as judge
    from nasion.predict import load_model

    if output.suffix != ".onnx":
        return
    before, after = (judge(what, faces).overall for what in (model, load_model(output)))
    said = [f"RMSE {scores.rmse:.3f} pixels, NME {100 * scores.nme:.3f} %" for scores in (before, after)]
    terminal.out.print(f"On {before.faces or len(faces)} validation faces the run has {said[0]}; the file {said[1]}.", soft_wrap=True)


def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where the demo's run and report go.")] = Path("demo"),
    faces: Annotated[int, typer.Option(min=20, help="How many toy faces are drawn.")] = 2000,
    epochs: Annotated[int, typer.Option(min=1, help="How long it trains.")] = 30,
) -> None:
    """Draw toy faces, train a small network on partly missing labels, judge it and write a report. Needs no data."""
    with needing("The demo", "pytorch"):
        from nasion.demo import run_demo

    result, page = run_demo(folder, faces, epochs, terminal.err)
    terminal.show_scores(result)
    terminal.out.print(f"The report: {page.resolve()}", soft_wrap=True)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    page: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("comparison.html"),
) -> None:
    """Runs side by side: numbers, settings that differ, all curves in one plot."""
    from nasion import compare
    from nasion.files import write_text

    compared = compare.compare(runs)
    write_text(page, compare.page(compared))
    terminal.show_comparison(compared)
    terminal.out.print(f"The page: {page.resolve()}", soft_wrap=True)


def _write_report(result: Judgement, folder: Path, run: Path | None, title: str, shown: tuple[Model | None, Faces]) -> str:
    """Write the evaluation's files; a line that says where they are."""
    from nasion import report as pages

    background = pages.Background()
    model, faces = shown
    try:
        if run and model and run.is_dir():
            from nasion import look
            from nasion import run as runs

            background = pages.Background(runs.history(run), runs.settings_text(run), look.for_report(model, faces))
        page = pages.write(result, folder, title=title, background=background)
    except MissingExtra as error:
        return f"No report.html: {error}"
    return f"The report: {page.resolve()}"
