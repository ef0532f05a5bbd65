"""Commands that draw training samples, filters, their responses, best and worst faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console, tables
from nasion.app.cli.label_options import reads_labels
from nasion.app.cli.options import (
    Data,
    Output,
    RecipeFile,
    Run,
    open_model,
)

if TYPE_CHECKING:
    from nasion.data.label_reading import LabelReading

Count = Annotated[int, typer.Option(min=1, help="How many faces.")]
Split = Annotated[str, typer.Option(help="Which split.")]


@reads_labels
def samples(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name or file, or a run folder.", metavar="RECIPE")
    ],
    data: Data,
    count: Count = 8,
    split: Split = "train",
    seed: Annotated[int, typer.Option(min=0, help="Which faces and changes are drawn.")] = 0,
    output: Output = Path("samples.png"),
    *,
    reading: LabelReading,
) -> None:
    """Draw training samples with their points, unchanged and augmented."""
    from nasion.data.load import load_faces
    from nasion.evaluation import inspect_network, plots
    from nasion.inference import run_folder
    from nasion.recipes import load_recipe

    folder = Path(recipe)
    value = run_folder.read_recipe(folder) if folder.is_dir() else load_recipe(recipe)
    spec = value.spec
    faces = load_faces(
        None,
        data,
        split,
        scheme=spec.scheme,
        whole_images=spec.whole,
        reading=reading,
    )
    plots.save(inspect_network.samples(faces, value, count, seed), output)
    _written(output)


def filters(run: Run, output: Output = Path("filters.png"), recipe: RecipeFile = None) -> None:
    """Draw the first layer's filters as a labelled grid."""
    model = open_model(run, recipe)
    from nasion.evaluation import inspect_network, plots

    plots.save(inspect_network.filters(model.network), output)
    _written(output)


@reads_labels
def responses(
    run: Run,
    data: Data,
    face: Annotated[
        str | None, typer.Option(help="The face's id.", show_default="the first")
    ] = None,
    split: Split = "val",
    output: Output = Path("responses.png"),
    recipe: RecipeFile = None,
    *,
    reading: LabelReading,
) -> None:
    """Draw the response of each first-layer filter to a face."""
    model = open_model(run, recipe)
    from nasion.data.load import load_faces
    from nasion.evaluation import inspect_network, plots

    spec = model.spec
    faces = load_faces(
        None,
        data,
        split,
        scheme=spec.scheme,
        whole_images=spec.whole,
        reading=reading,
    )
    plots.save(inspect_network.responses(model, faces, face), output)
    _written(output)


@reads_labels
def faces(
    run: Run,
    data: Data,
    count: Count = 8,
    split: Split = "val",
    output: Output = Path("faces.png"),
    recipe: RecipeFile = None,
    *,
    reading: LabelReading,
) -> None:
    """Draw the best faces above the worst, and print a table of the largest errors.

    Labels are green, predictions orange.
    """
    model = open_model(run, recipe)
    from nasion.data.load import load_faces
    from nasion.evaluation import face_tiles, plots, report
    from nasion.evaluation.evaluate import evaluate

    spec = model.spec
    labelled = load_faces(
        None,
        data,
        split,
        whole_images=spec.whole,
        reading=replace(reading, assumed=spec.scheme),
    )
    result = evaluate(model, labelled)
    sheets = report.best_and_worst(result, count)
    tiles = [tile for sheet in sheets for tile in sheet.tiles]
    if tiles:
        plots.save(face_tiles.sheet(tiles, columns=min(count, len(tiles) // 2)), output)
        _written(output)
    errors = report.largest_errors(result, count)
    tables.show_table("Largest errors", report.ERROR_COLUMNS, errors)


def _written(output: Path) -> None:
    console.say(f"Written: {output.resolve()}")
