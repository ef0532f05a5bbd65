"""Faces of a published set as its reader finds them, one by one, and all of them as ``Faces``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion.array_types import Bool, Float
from nasion.data.datasets._image_names import numbered_faces
from nasion.data.datasets._label_files import is_resource_fork
from nasion.data.datasets._point_lines import Line, text_lines
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError
from nasion.landmarks import geometry
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.signatures import IMAGE_SUFFIXES


@dataclass(frozen=True, eq=False)
class LabelledFace:
    """``name``: of its image, relative to the dataset. ``groups``: one value for each group."""

    name: str
    image: Path
    points: Float[np.ndarray, "K 2"]
    groups: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None
    occluded: Bool[np.ndarray, " K"] | None = None


def read_each(
    root: Path, paths: Sequence[Path], read_one: Callable[[Path, str], LabelledFace], faults: Faults
) -> list[LabelledFace]:
    """The face of each file; one that breaks its format's rules is a fault.

    ``read_one`` takes the file and its place, which its errors begin with. Raises ``DataError`` if
    no face is left.
    """
    found: list[LabelledFace] = []
    for path in paths:
        if is_resource_fork(path):
            continue
        place = str(path.relative_to(root))
        try:
            found.append(read_one(path, place))
        except DataError as error:
            report_fault(faults, place, str(error).removeprefix(place).lstrip(": "))
    if not found:
        raise DataError(
            f"{root}: no face is left of {counted(len(paths), f'{paths[0].suffix} file')}."
        )
    return found


def read_each_line(
    lists: Sequence[Path], read_one: Callable[[Line], LabelledFace], faults: Faults
) -> list[LabelledFace]:
    """The face of each line of all lists, as ``read_each``."""
    found: list[LabelledFace] = []
    for path in lists:
        for line in text_lines(path):
            try:
                found.append(read_one(line))
            except ValueError as error:
                report_fault(faults, f"{path.name} line {line[0]}", f"{error}.")
    if not found:
        names = ", ".join(path.name for path in lists)
        raise DataError(f"{lists[0].parent}: no face is left of {names}.")
    return found


def as_faces(
    found: Sequence[LabelledFace],
    scheme: Scheme,
    groups: tuple[str, ...] = (),
    linked: tuple[str, ...] = (),
    tight_boxes: bool = False,
) -> Faces:
    """All faces; ``tight_boxes``: faces without a box get the tight one around their points."""
    points = np.stack([face.points for face in found]).astype(np.float32)
    unknown = (np.nan,) * 4
    boxes = np.array([face.box or unknown for face in found], dtype=np.float32)
    if tight_boxes and (tight := geometry.tight_boxes(points)) is not None:
        boxes = np.where(np.isnan(boxes), tight, boxes)
    hidden = [np.zeros(len(scheme), bool) if f.occluded is None else f.occluded for f in found]
    return Faces(
        scheme=scheme,
        ids=numbered_faces([face.name for face in found]),
        images=tuple(face.image for face in found),
        points=points,
        boxes=None if np.isnan(boxes).all() else boxes,
        occluded=np.stack(hidden) if np.any(hidden) else None,
        groups={name: tuple(f.groups[i] for f in found) for i, name in enumerate(groups)},
        linked=linked,
    )


class ImagesByStem:
    """The images of folders by their names without suffix; each folder is listed once."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, Path]] = {}

    def find(self, folder: Path, stem: str, place: str) -> Path:
        """The image; upper and lower case are the same. Raises ``DataError``."""
        if folder not in self._known:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
            self._known[folder] = {path.stem.lower(): path for path in reversed(images)}
        image = self._known[folder].get(stem.lower())
        if image is None:
            known = ", ".join(IMAGE_SUFFIXES[:5])
            raise DataError(
                f"{place}: no image {stem} ({known} ...) in {folder.name}; put it there, or leave "
                "the label file out."
            )
        return image
