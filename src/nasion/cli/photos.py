"""The command for one's own pictures and videos: find faces, find their points, write them down."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasion import terminal
from nasion.cli.options import Average, RecipeFile, model_of
from nasion.errors import SettingError

if TYPE_CHECKING:
    from nasion.formats import Found
    from nasion.pictures import Photo, Refused
    from nasion.video import Clip

_FORMATS = ("picture", "json")  # unless others are asked for
_SHOWN = 20  # pictures that have a line each in the terminal
Pictures = Annotated[
    list[str],
    typer.Argument(help="Pictures, videos, folders, patterns, lists of files (.txt), addresses, a camera's number, - for standard input."),
]
Formats = Annotated[
    list[str] | None,
    typer.Option("--format", "-f", help="What is written: picture, json, jsonl, csv, pts, coco; may be repeated.", show_default=", ".join(_FORMATS)),
]
Smallest = Annotated[int | None, typer.Option(help="Side in pixels of the smallest face to find.", show_default="36, more in large pictures")]
Engine = Annotated[
    str | None,
    typer.Option(help="Very many pictures, also in .parquet, to Parquet files in --out; begun again it goes on: plain or ray."),
]


def predict(
    pictures: Pictures,
    run: Annotated[Path, typer.Option("--run", help="A shipped network's name, an exported .onnx file, or a run's folder.")] = Path("face68"),
    formats: Formats = None,
    folder: Annotated[Path, typer.Option("--out", help="The folder to write to; - prints json, jsonl, csv or coco.")] = Path("predictions"),
    labels: Annotated[str, typer.Option(help="What stands beside drawn points: none, numbers or names.")] = "none",
    box: Annotated[list[str] | None, typer.Option(help="A known face's box, x0,y0,x1,y1 in pixels; may be given again.", metavar="BOX")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Known boxes: a CSV with face,box_x0,box_y0,box_x1,box_y1, or an imglab XML.")] = None,
    no_detect: Annotated[bool, typer.Option("--no-detect", help="Every picture is one face from edge to edge.")] = False,
    any_rotation: Annotated[bool, typer.Option("--any-rotation", help="Also faces on their side or head down; four times the time.")] = False,
    detector: Annotated[str, typer.Option(help="What finds faces: single_shot (nasion's own), or dlib if it is installed.")] = "single_shot",
    smallest: Smallest = None,
    least: Annotated[float, typer.Option(help="Drop what is less sure to be a face, 0 to 1.")] = 0.6,
    smooth: Annotated[bool, typer.Option("--smooth/--no-smooth", help="Videos: calm the points (one-euro filter).")] = True,
    min_cutoff: Annotated[float, typer.Option(help="The filter's cutoff in Hz for what is still: lower is calmer.")] = 0.4,
    beta: Annotated[float, typer.Option(help="How much the cutoff rises with speed: higher follows faster.")] = 400.0,
    seconds: Annotated[float | None, typer.Option(help="Videos and cameras: stop after so many.", show_default="the end, or Ctrl-C")] = None,
    engine: Engine = None,
    workers: Annotated[int | None, typer.Option(help="How many look at pictures at once.", min=1, show_default="cores")] = None,
    average: Average = None,
    recipe: RecipeFile = None,
) -> None:
    """Find the faces in pictures, videos or a camera's frames, and their points; what cannot be read is told at the end."""
    from nasion import boxes as known
    from nasion import detectors, harvest
    from nasion import pictures as inputs
    from nasion.formats.picture import LABELS
    from nasion.landmarker import Landmarker
    from nasion.landmarker.smoothing import OneEuro
    from nasion.video import Clip

    if engine is not None:
        if box or boxes or formats or recipe:
            raise SettingError("--engine writes Parquet and finds faces itself; leave --box, --boxes, --format and --recipe out.")
        settings = (str(run.resolve() if run.exists() else run), detector, smallest, not no_detect, least, any_rotation, average)
        _in_parts(pictures, settings, folder, engine, workers)
        return
    printed = str(folder) == "-"
    kinds = _kinds(formats or _FORMATS, printed)
    if labels not in LABELS:
        raise SettingError(f"--labels {labels}: one of {', '.join(LABELS)} expected.")
    asked = [replace(each, seconds=seconds) if isinstance(each, Clip) else each for each in inputs.listed(pictures)]
    places = known.given(box or [], boxes, [each.name for each in asked])
    if places is not None and any(isinstance(each, Clip) for each in asked):
        raise SettingError("--box and --boxes are for pictures; in videos faces are found and followed.")
    finder = None if no_detect else detectors.named(detector, smallest)
    landmarker = Landmarker(model_of(run, recipe, average), detector=finder, least=least, any_rotation=any_rotation)
    drawing = harvest.Drawing(folder, labels) if "picture" in kinds else None
    threads = min(workers or os.cpu_count() or 1, len(asked))
    way = harvest.Way(places, drawing, OneEuro(min_cutoff, beta) if smooth else None, threads)
    _harvest(asked, harvest.looked_at(asked, landmarker, way), [kind for kind in kinds if kind != "picture"], folder)


def _in_parts(words: list[str], settings: tuple[Any, ...], folder: Path, engine: str, workers: int | None) -> None:
    """Everything to Parquet, part by part."""
    from nasion import scale

    parts = scale.parts(words)
    sums: Counter[str] = Counter()
    with terminal.counted("parts", len(parts)) as step:
        for _, counts in scale.run(parts, scale.Settings(*settings), folder, engine, workers):
            sums.update(counts)
            step()
    faces, pictures = _counted(sums["faces"], "face"), _counted(sums["pictures"], "picture")
    terminal.out.print(f"{faces} in {pictures}; {sums['unreadable']} could not be read (column error).", highlight=False)
    terminal.out.print(f"Written to {folder.resolve()}, {_counted(len(parts), 'part')}", soft_wrap=True, highlight=False)
    if sums["unreadable"]:
        raise typer.Exit(1)


def _harvest(asked: Sequence[Photo | Clip], each: Generator[Found | Refused], kinds: list[str], folder: Path) -> None:
    """Take all that is found, write it, and tell of it; Ctrl-C stops, and what is found by then is written."""
    from nasion import formats as forms
    from nasion.pictures import Refused
    from nasion.video import Clip

    printed = str(folder) == "-"
    # A line can be printed at once; all other formats are one text.
    line = forms.named(kinds[0]).line if printed and kinds[0] == "jsonl" else None
    found, refused, began = [], [], perf_counter()
    clips = any(isinstance(one, Clip) for one in asked)
    total = sum((one.frames_told() if isinstance(one, Clip) else 1) for one in asked)
    try:
        with terminal.counted("frames" if clips else "pictures", total) as step, closing(each):
            for one in each:
                (refused if isinstance(one, Refused) else found).append(one)
                if line is not None and not isinstance(one, Refused):
                    print(line(one), end="", flush=True)
                step()
    except KeyboardInterrupt:
        terminal.err.print("Stopped; what was found until now is kept.", style="yellow")
    finally:
        if line is None:
            _write(found, kinds, None if printed else folder)
    _tell(found, refused, None if printed else folder, perf_counter() - began)
    if refused:
        raise typer.Exit(1)


def _kinds(asked: Sequence[str], printed: bool) -> list[str]:
    """The formats to write; of those that are asked for, the first that can be printed. ``SettingError`` for one that there is not."""
    from nasion import formats as forms

    texts = [kind for kind in dict.fromkeys(asked) if hasattr(forms.named(kind), "text")]
    if printed and not texts:
        raise SettingError("--out - prints one of json, jsonl, csv, coco; name one with --format.")
    return texts[:1] if printed else list(dict.fromkeys(asked))


def _write(found: list[Found], kinds: list[str], folder: Path | None) -> None:
    """All pictures' faces in these formats, into a folder or to standard output."""
    from nasion import formats as forms

    if folder is not None:
        forms.write(found, kinds, folder)
    else:
        sys.stdout.write(forms.named(kinds[0]).text(found))


def _tell(found: list[Found], refused: list[Refused], folder: Path | None, seconds: float) -> None:
    """What was found, and what could not be read; on the error stream where results go to standard output."""
    say = terminal.out.print if folder is not None else terminal.err.print
    pictures = [one for one in found if one.seconds is None]
    clips: dict[str, list[Found]] = {}
    for one in found:
        if one.seconds is not None:
            clips.setdefault(one.name.rpartition("@")[0], []).append(one)
    if folder is not None:
        for picture in pictures[:_SHOWN]:
            sure = f", sure by {', '.join(f'{face.score:.2f}' for face in picture.faces[:5])}" if picture.faces else ""
            say(f"{picture.name}: {_counted(len(picture.faces), 'face')}{sure}", soft_wrap=True, highlight=False)
        if len(pictures) > _SHOWN:
            say(f"... and {len(pictures) - _SHOWN} more pictures", highlight=False)
    for name, frames in clips.items():
        tracks = len({face.track for frame in frames for face in frame.faces})
        pace = "" if pictures or len(clips) > 1 else f", {len(frames) / seconds:.0f} frames per second"
        say(f"{name}: {_counted(tracks, 'face')} followed in {_counted(len(frames), 'frame')}{pace}", soft_wrap=True, highlight=False)
    for picture in refused:
        terminal.err.print(f"not read: {picture.name}: {picture.why}", style="yellow", soft_wrap=True, highlight=False)
    faces, without = sum(len(picture.faces) for picture in pictures), sum(not picture.faces for picture in pictures)
    said = []
    if pictures or not (clips or refused):
        said.append(f"{_counted(faces, 'face')} in {_counted(len(pictures), 'picture')}" + (f", {without} without any" if without else ""))
    if refused:
        said.append(f"{len(refused)} could not be read")
    if said:
        say(f"{'; '.join(said)}.", soft_wrap=True, highlight=False)
    if folder is not None and found:
        say(f"Written to {folder.resolve()}", soft_wrap=True, highlight=False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
