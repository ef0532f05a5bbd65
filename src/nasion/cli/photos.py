"""The command for one's own pictures: find faces, find their points, write them down."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion import terminal
from nasion.cli.options import Average, RecipeFile, model_of
from nasion.errors import DataError, SettingError

if TYPE_CHECKING:
    from nasion.boxes import Given
    from nasion.formats import Found
    from nasion.landmarker import Landmarker
    from nasion.pictures import Photo, Refused

_FORMATS = ("picture", "json")  # unless others are asked for
_SHOWN = 20  # pictures that have a line each in the terminal


def predict(
    pictures: Annotated[list[str], typer.Argument(help="Pictures, folders, patterns, http addresses, or - for standard input.")],
    run: Annotated[Path, typer.Option("--run", help="A shipped network's name, an exported .onnx file, or a run's folder.")] = Path("face68"),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", "-f", help="What is written: picture, json, jsonl, csv, pts, coco; may be given again.", show_default=", ".join(_FORMATS)
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="The folder to write to; - prints json, jsonl, csv or coco.")] = Path("predictions"),
    labels: Annotated[str, typer.Option(help="What stands beside drawn points: none, numbers or names.")] = "none",
    box: Annotated[list[str] | None, typer.Option(help="A known face's box, x0,y0,x1,y1 in pixels; may be given again.", metavar="BOX")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Known boxes: a CSV with face,box_x0,box_y0,box_x1,box_y1, or an imglab XML.")] = None,
    no_detect: Annotated[bool, typer.Option("--no-detect", help="Every picture is one face from edge to edge.")] = False,
    any_rotation: Annotated[bool, typer.Option("--any-rotation", help="Also faces on their side or head down; eight times the time.")] = False,
    smallest: Annotated[
        int | None, typer.Option(help="Side in pixels of the smallest face to find.", show_default="36, more in large pictures")
    ] = None,
    least: Annotated[float, typer.Option(help="Drop what is less sure to be a face, 0 to 1.")] = 0.6,
    average: Average = None,
    recipe: RecipeFile = None,
) -> None:
    """Find the faces in pictures and their points; what cannot be read is told at the end."""
    from nasion import boxes as known
    from nasion import formats as forms
    from nasion import pictures as inputs
    from nasion.detect import Dlib
    from nasion.formats.picture import LABELS
    from nasion.landmarker import Landmarker

    printed = str(folder) == "-"
    kinds = _kinds(formats or _FORMATS, printed)
    if labels not in LABELS:
        raise SettingError(f"--labels {labels}: one of {', '.join(LABELS)} expected.")
    photos = inputs.listed(pictures)
    places = known.given(box or [], boxes, [photo.name for photo in photos])
    landmarker = Landmarker(model_of(run, recipe, average), detector=Dlib(smallest), detect=not no_detect, least=least, any_rotation=any_rotation)
    found, refused = [], []
    with terminal.counted("pictures", len(photos)) as step:
        try:
            for each in _looked_at(photos, landmarker, places, "picture" in kinds):
                if isinstance(each, inputs.Refused):
                    refused.append(each)
                else:
                    # Drawn at once, so that not all pictures' pixels are kept.
                    if each.picture is not None:
                        forms.write([each], ["picture"], folder, labels)
                    found.append(replace(each, picture=None))
                step()
        finally:
            _write(found, [kind for kind in kinds if kind != "picture"], None if printed else folder)
    _tell(found, refused, None if printed else folder)
    if refused:
        raise typer.Exit(1)


def _kinds(asked: Sequence[str], printed: bool) -> list[str]:
    """The formats to write; of those that are asked for, the first that can be printed. ``SettingError`` for one that there is not."""
    from nasion import formats as forms

    texts = [kind for kind in dict.fromkeys(asked) if hasattr(forms.named(kind), "text")]
    if printed and not texts:
        raise SettingError("--out - prints one of json, jsonl, csv, coco; name one with --format.")
    return texts[:1] if printed else list(dict.fromkeys(asked))


def _looked_at(photos: list[Photo], landmarker: Landmarker, places: Given | None, draws: bool) -> Iterator[Found | Refused]:
    """The faces of each picture in turn."""
    from nasion.formats import Found, stems
    from nasion.pictures import Refused, decoded

    names = [photo.name for photo in photos]
    stem = dict(zip(names, stems(names), strict=True))
    for photo, pixels in decoded(photos, draws or landmarker.model.recipe.colour):
        if isinstance(pixels, Refused):
            yield pixels
            continue
        try:
            faces = landmarker(pixels, None if places is None else places.of(photo.name))
        except DataError as error:
            yield Refused(photo.name, str(error))
            continue
        yield Found(photo.name, stem[photo.name], (pixels.shape[1], pixels.shape[0]), tuple(faces), pixels if draws else None)


def _write(found: list[Found], kinds: list[str], folder: Path | None) -> None:
    """All pictures' faces in these formats, into a folder or to standard output."""
    from nasion import formats as forms

    if folder is not None:
        forms.write(found, kinds, folder)
    else:
        sys.stdout.write(forms.named(kinds[0]).text(found))


def _tell(found: list[Found], refused: list[Refused], folder: Path | None) -> None:
    """What was found, and what could not be read; on the error stream where results go to standard output."""
    say = terminal.out.print if folder is not None else terminal.err.print
    if folder is not None:
        for picture in found[:_SHOWN]:
            sure = f", sure by {', '.join(f'{face.score:.2f}' for face in picture.faces[:5])}" if picture.faces else ""
            say(f"{picture.name}: {_counted(len(picture.faces), 'face')}{sure}", soft_wrap=True, highlight=False)
        if len(found) > _SHOWN:
            say(f"... and {len(found) - _SHOWN} more pictures", highlight=False)
    for picture in refused:
        terminal.err.print(f"not read: {picture.name}: {picture.why}", style="yellow", soft_wrap=True, highlight=False)
    faces, without = sum(len(picture.faces) for picture in found), sum(not picture.faces for picture in found)
    said = f"{_counted(faces, 'face')} in {_counted(len(found), 'picture')}"
    said += f", {without} without any" if without else ""
    said += f"; {len(refused)} could not be read" if refused else ""
    say(f"{said}.{f' Written to {folder.resolve()}' if folder is not None and found else ''}", soft_wrap=True, highlight=False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
