"""Options and small steps that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.discovery import DETECTORS
from nasion.errors import require

if TYPE_CHECKING:
    from nasion.inference.predictor import Predictor
    from nasion.model_spec import TTA

_DATA_HELP = "Folder or file of the dataset (toy:COUNT for drawn faces)."
Data = Annotated[str, typer.Option("--data", help=_DATA_HELP)]
SeveralData = Annotated[
    list[str], typer.Option("--data", help=f"{_DATA_HELP} Repeat for several datasets.")
]
DataPath = Annotated[str, typer.Argument(help=_DATA_HELP)]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="The recipe file of the run, if it defines parts of its own. It is Python and is run: "
        "use only files that you trust.",
    ),
]
Run = Annotated[Path, typer.Argument(help="A run folder.")]
Model = Annotated[
    Path,
    typer.Option(
        "--run", help="A pretrained model's name, an exported .onnx file, or a run folder."
    ),
]
TTAMode = Annotated[
    str | None,
    typer.Option(
        "--tta",
        help="Test-time augmentation: none, flip (2x time), flip+shift (6x time).",
        show_default="the model's own",
    ),
]
DetectorName = Annotated[
    str, typer.Option("--detector", help=f"Face detector: {', '.join(DETECTORS.names())}.")
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Images, videos, folders, globs, lists of files (.txt), URLs, a camera number, "
        "- for standard input.",
    ),
]
KnownBox = Annotated[
    list[str] | None,
    typer.Option(help="A known face's box, x0,y0,x1,y1 in pixels. Repeatable.", metavar="BOX"),
]
BoxTable = Annotated[
    Path | None,
    typer.Option(help="Known boxes: a CSV with face,box_x0,box_y0,box_x1,box_y1, or imglab XML."),
]
MinFace = Annotated[
    int | None,
    typer.Option(
        help="Side in pixels of the smallest face to look for; smaller ones may be found as well.",
        show_default="36, more in large images",
    ),
]
NoDetect = Annotated[
    bool, typer.Option("--no-detect", help="Every image is one face from edge to edge.")
]
AnyRotation = Annotated[
    bool,
    typer.Option("--any-rotation", help="Also find faces on their side or upside down; 4x time."),
]
MaxFaces = Annotated[
    int | None,
    typer.Option(help="Keep at most this many faces of an image or frame.", show_default="all"),
]
Smooth = Annotated[bool, typer.Option("--smooth/--no-smooth", help="Videos: smooth the points.")]
Seconds = Annotated[
    float | None,
    typer.Option(
        help="Videos and cameras: stop after this time.", show_default="the end, or Ctrl-C"
    ),
]
Threads = Annotated[int | None, typer.Option(help="Threads.", min=1, show_default="cores")]
MinScore = Annotated[float, typer.Option(help="Minimum face score, 0 to 1.")]
Output = Annotated[Path, typer.Option("-o", "--output", readable=False, help="The file to write.")]


def open_model(run: Path, recipe: Path | None, tta: str | None = None) -> Predictor:
    """A model to predict with. ``recipe``: the recipe file of a run with parts of its own."""
    from nasion.inference.predictor import load_model

    module = None
    if recipe:
        from nasion.recipes import recipe_module

        module = recipe_module(recipe)
    return load_model(run, recipe=module, tta=tta_or_none(tta))


def tta_or_none(name: str | None) -> TTA | None:
    """The mode of this name. Raises ``SettingError`` for any other."""
    from nasion.model_spec import TTA_MODES

    found = [mode for mode in TTA_MODES if mode == name]
    require(name is None or bool(found), f"--tta {name}: one of {', '.join(TTA_MODES)} expected.")
    return found[0] if found else None
