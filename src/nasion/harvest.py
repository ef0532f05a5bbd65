"""What was asked for, looked at in turn: pictures, and clips frame by frame, to what was found in each."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from nasion.boxes import Given
from nasion.errors import DataError, SettingError
from nasion.formats import Found, picture, stems, write
from nasion.landmarker import Landmarker
from nasion.landmarker.smoothing import CALM, OneEuro
from nasion.landmarker.tracking import Tracker
from nasion.pictures import Photo, Refused, in_turn, opened
from nasion.video import Clip, Frame


@dataclass(frozen=True)
class Drawing:
    """Where pictures and clips are written with what was found in them, and what stands beside their points."""

    folder: Path
    labels: str = "none"


@dataclass(frozen=True)
class Way:
    """How things are looked at: ``places``: known boxes, None: faces are searched for; ``smoothing`` of clips; ``threads`` for pictures."""

    places: Given | None = None
    drawing: Drawing | None = None
    smoothing: OneEuro | None = CALM
    threads: int = 1


def looked_at(inputs: Sequence[Photo | Clip], landmarker: Landmarker, way: Way) -> Generator[Found | Refused]:
    """The faces of each picture, and of each frame of each clip, or why there are none; nothing holds pixels any more."""
    stem = dict(zip((each.name for each in inputs), stems([each.name for each in inputs]), strict=True))
    if way.drawing is not None:
        _refuse_overwriting(inputs, list(stem.values()), way.drawing.folder)

    def one(photo: Photo) -> Found | Refused:
        pixels = opened(photo, way.drawing is not None or landmarker.model.recipe.colour)
        if isinstance(pixels, Refused):
            return pixels
        try:
            faces = landmarker(pixels, None if way.places is None else way.places.of(photo.name))
        except DataError as error:
            return Refused(photo.name, str(error))
        found = Found(photo.name, stem[photo.name], (pixels.shape[1], pixels.shape[0]), tuple(faces), pixels)
        if way.drawing is not None:
            write([found], ["picture"], way.drawing.folder, way.drawing.labels)
        return replace(found, picture=None)

    yield from in_turn(one, [each for each in inputs if isinstance(each, Photo)], way.threads)
    for clip in inputs:
        if isinstance(clip, Clip):
            try:
                yield from _watched(clip, stem[clip.name], Tracker(landmarker, way.smoothing), way.drawing)
            except DataError as error:
                yield Refused(clip.name, str(error).removeprefix(f"{clip.name}: "))


def _refuse_overwriting(inputs: Sequence[Photo | Clip], stem: Sequence[str], folder: Path) -> None:
    """Raises ``SettingError`` where what is drawn would take the place of an input."""
    sources = {each.source.resolve() for each in inputs if isinstance(each.source, Path)}
    drawn = {(folder / f"{name}-points{ending}").resolve() for name in stem for ending in (".jpg", ".mp4", ".mkv")}
    for path in sorted(sources & drawn):
        raise SettingError(f"{path} is an input, and would be written over by what is drawn; name another folder with --out.")


def _watched(clip: Clip, stem: str, tracker: Tracker, drawing: Drawing | None) -> Iterator[Found]:
    """Each frame of a clip; its name is the clip's and the frame's number after ``@``."""
    last: list[Found] = []
    if drawing is None:
        frames = clip.frames()
    else:
        labels = drawing.labels
        frames = clip.rewritten(drawing.folder, stem, lambda _: picture.drawn(last.pop(), labels, enlarge=False))
    with closing(frames):
        for frame in frames:
            found = _frame(frame, clip, stem, tracker)
            if drawing is not None:
                last.append(found)
            yield replace(found, picture=None)


def _frame(frame: Frame, clip: Clip, stem: str, tracker: Tracker) -> Found:
    height, width = frame.pixels.shape[:2]
    faces = tracker(frame.pixels, frame.seconds)
    return Found(f"{clip.name}@{frame.number}", f"{stem}@{frame.number}", (width, height), tuple(faces), frame.pixels, frame.seconds)
