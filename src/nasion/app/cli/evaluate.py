"""Commands that evaluate, compare and submit."""

from __future__ import annotations

from dataclasses import replace
from json import dumps
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console, tables
from nasion.app.cli.given_options import GivenOptions, knows_given
from nasion.app.cli.label_options import reads_labels
from nasion.app.cli.options import (
    Data,
    RecipeFile,
    Run,
    TTAMode,
    open_model,
    tta_or_none,
)
from nasion.discovery import FORMATS
from nasion.errors import MissingExtra, SettingError

if TYPE_CHECKING:
    from nasion.data.label_reading import LabelReading
    from nasion.evaluation.evaluate import EvaluationResult
    from nasion.inference.predictor import Predictor


@reads_labels
@knows_given
def evaluate(
    data: Data,
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A run folder, an exported .onnx file, or a pretrained model (see: nasion models)."
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a model: predicted points of any tool, a file or folder of a format "
            f"that predict writes ({', '.join(n for n in FORMATS.names() if n != 'image')})."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which split.",
            show_default="all, but val for a model that was trained on the data, and for "
            "datasets with splits of their own",
        ),
    ] = None,
    norm: Annotated[
        str | None,
        typer.Option(
            help="box, outer_eye_corners, pupils, or two groups of points a,b:c,d.",
            show_default="the scheme's own",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Of failure rate and AUC, in % of the norm.",
            show_default="box 7, pupils 10, else 8",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the scores to this file.")] = None,
    out_folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            readable=False,
            help="Folder of report.html, scores.json and predictions.csv.",
            show_default="RUN/evaluation-SPLIT",
        ),
    ] = None,
    floor: Annotated[
        Path | None,
        typer.Option(
            help="Show how far people's labels are apart beside the errors: a file of "
            "nasion data compare --json.",
            show_default="no floor",
        ),
    ] = None,
    tta: TTAMode = None,
    recipe: RecipeFile = None,
    *,
    given: GivenOptions,
    reading: LabelReading,
) -> None:
    """Evaluate a model, or any tool's predictions, on labelled faces."""
    import nasion
    from nasion.data.load import load_faces
    from nasion.data.pool import pool_split
    from nasion.data.suspects import existing_audit
    from nasion.evaluation.judged_split import default_split
    from nasion.evaluation.matching import read_predictions
    from nasion.inference.fold_runs import (
        check_finished,
        fold_folder,
        is_fold_folder,
        predict_held_out,
    )
    from nasion.media.file_names import named_path
    from nasion.media.files import write_text

    subject = _subject(run, predictions, threshold)
    if predictions:
        reason = "with --predictions, which need no network"
        given.refuse(reason, names=("tta", "recipe"))
    is_folds = run is not None and is_fold_folder(run)
    if run and is_folds:
        check_finished(run)
    # The runs of all folds are of one kind.
    opened = fold_folder(run, 1) if run and is_folds else run
    model = open_model(opened, recipe, tta) if opened else None
    # Points that a file only numbers are those of the model.
    meant = model.spec.scheme if model else None
    reading = replace(reading, assumed=meant)
    if split is None:
        if is_folds:
            split = pool_split(reading.dataset, data)
        else:
            split = default_split(model, data, reading.scheme, reading) if model else "all"
    faces = load_faces(
        None,
        data,
        split,
        scheme=reading.scheme,
        whole_images=model.spec.whole if model else None,
        reading=reading,
        # The network's points, of which the labels may be a part.
        box_scheme=meant,
    )
    limit = None if threshold is None else threshold / 100
    evaluated = model if model is not None else read_predictions(subject, faces, reading.missing)
    if run and is_folds:
        evaluated = predict_held_out(run, faces, _module(recipe), tta_or_none(tta))
    audit = existing_audit(data)
    result = nasion.evaluate(evaluated, faces, norm=norm, threshold=limit, floor=floor, audit=audit)
    # Files first: what is printed may go to a pipe that closes.
    if json:
        write_text(json, dumps(result.to_json(), indent=1))
    own = run / f"evaluation-{split}" if run and run.is_dir() else f"{subject.stem}-evaluation"
    folder = out_folder or Path(own)
    title = f"{named_path(subject).name} on {named_path(data).name}, {split}"
    message = _write_report(result, folder, title, None if is_folds else run, model, recipe)
    console.say(f"{console.count(len(faces), 'face')} of {named_path(data).name}, split {split}")
    tables.show_scores(result)
    console.say(message)


def _subject(run: Path | None, predictions: Path | None, threshold: float | None) -> Path:
    """What is evaluated. Raises ``SettingError`` unless it is one thing, and for a threshold."""
    subject = run or predictions
    if subject is None:
        raise SettingError("Say what to evaluate: a run folder, or --predictions FILE.")
    if run and predictions:
        raise SettingError(
            f"{run} and --predictions {predictions} exclude each other: points come from a network "
            "or from a file; leave out one of the two."
        )
    if threshold is not None and not threshold > 0:
        raise SettingError(
            f"--threshold is in % of the norm and must be above 0, as 8; found {threshold:g}."
        )
    return subject


def _write_report(
    result: EvaluationResult,
    folder: Path,
    title: str,
    run: Path | None,
    model: Predictor | None,
    recipe: Path | None,
) -> str:
    """Write the evaluation's files; returns a line that says where they are."""
    from nasion.evaluation import inspect_network, report
    from nasion.inference import run_folder
    from nasion.inference.checkpoint import kept_start

    try:
        details = report.RunDetails()
        if run and model and run.is_dir():
            value = run_folder.read_recipe(run, _module(recipe))
            details = report.RunDetails(
                history=run_folder.read_history(run),
                settings=run_folder.settings_text(run),
                figures=inspect_network.report_figures(model, value, result.faces),
                start=kept_start(run),
            )
        page = report.write(result, folder, title=title, run=details)
    except MissingExtra as error:
        return f"No report.html: {error}"
    return f"Report: {page.resolve()}"


def _module(recipe: Path | None) -> ModuleType | None:
    from nasion.recipes import recipe_module

    return recipe_module(recipe) if recipe else None


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="The page to write.")
    ] = Path("comparison.html"),
) -> None:
    """Compare runs: numbers, settings that differ, all curves in one plot."""
    from nasion.evaluation import compare_runs
    from nasion.media.files import write_text

    comparison = compare_runs.compare(runs)
    write_text(output, compare_runs.page(comparison))
    tables.show_comparison(comparison)
    console.say(f"Page: {output.resolve()}")


def submit(
    run: Run,
    data: Data,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="kaggle (RowId,Location), or course68 (Id,Predicted) for an imglab file.",
        ),
    ] = "kaggle",
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="The file to write.")
    ] = Path("submission.csv"),
    tta: TTAMode = None,
    recipe: RecipeFile = None,
) -> None:
    """Write a submission file: Kaggle's for its test images, or the course's for an XML file."""
    model = open_model(run, recipe, tta)
    from nasion.evaluation import submission

    rows = submission.write(model, Path(data), form, output)
    console.say(f"{console.count(rows, 'row')} written to {output}")
