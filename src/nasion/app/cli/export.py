"""The command that exports a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console
from nasion.app.cli.given_options import GivenOptions, knows_given
from nasion.app.cli.label_options import LABEL_OPTIONS, reads_labels
from nasion.app.cli.options import RecipeFile, Run, open_model
from nasion.errors import SettingError

if TYPE_CHECKING:
    from nasion.data.label_reading import LabelReading
    from nasion.inference.export import Precision
    from nasion.inference.predictor import Predictor
    from nasion.landmarks.faces import Faces


@reads_labels
@knows_given
def export(
    run: Run,
    output: Annotated[
        Path, typer.Argument(help="The file to write: .onnx, or .keras of a Keras network.")
    ],
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Weights of an ONNX file in 16 bits: half the size.")
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Convolutions in 8 bits: a quarter of the size, faster; needs --data."
        ),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help="For --int8: a dataset; its training faces give the value ranges, "
            "its validation faces are evaluated on."
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="What the file says about the use of its weights.")
    ] = "not stated",
    scores_of: Annotated[
        Path | None,
        typer.Option(
            help="For a run that held no faces out: a run of the same recipe that did, "
            "whose calibration it takes."
        ),
    ] = None,
    recipe: RecipeFile = None,
    *,
    given: GivenOptions,
    reading: LabelReading,
) -> None:
    """Write a run's network as one file that needs no nasion, compared with the run."""
    if not data:
        given.refuse("without --data", names=LABEL_OPTIONS)
    model = open_model(run, recipe)
    from nasion.data.load import load_train_val
    from nasion.inference.export import export_model, with_calibration_of

    if fp16 and int8:
        raise SettingError("--fp16 and --int8 exclude each other; choose one.")
    precision: Precision = "int8" if int8 else "float16" if fp16 else "float32"
    if scores_of is not None:
        model = with_calibration_of(model, run, scores_of)
    spec = model.spec
    sides = None
    if data:
        sides = load_train_val(
            None, data, scheme=spec.scheme, whole_images=spec.whole, reading=reading
        )
    train_faces = sides[0] if sides else None
    difference = export_model(model, output, precision, train_faces, licence)
    size = output.stat().st_size / 1e6
    before = ", before it was quantized" if int8 else ""
    console.say(
        f"{output}: {size:.1f} MB; differs from the run in float32 by at most "
        f"{difference:.2g} pixels (32 images){before}"
    )
    if sides and sides[1].labelled.any() and output.suffix == ".onnx":
        _evaluate_both(model, output, sides[1])


def _evaluate_both(model: Predictor, output: Path, faces: Faces) -> None:
    """Print how accurate the run and the file are on faces that gave no value ranges."""
    from nasion.evaluation.evaluate import evaluate

    run, file = evaluate(model, faces).overall, evaluate(output, faces).overall
    shown = [f"RMSE {s.rmse:.3f} pixels, NME {100 * s.nme:.3f} %" for s in (run, file)]
    count = run.faces or len(faces)
    on = console.count(count, "validation face")
    console.say(f"On {on} the run has {shown[0]}; the file {shown[1]}.")
