"""Sizes of images as label files state them, and images that have another size.

An image that was enlarged, shrunk, cropped or turned after it was labelled has its labels at wrong
places. The size in the file shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType

import numpy as np

from nasion.array_types import Float64
from nasion.data.datasets._image_names import shared_end
from nasion.data.label_places import image_sizes
from nasion.landmarks.faces import Faces
from nasion.media.images import stored_orientation

Sizes = Mapping[str, tuple[int, int]]  # width and height by the image's name, as a file has it
_CUT = 1  # pixels: programs cut an odd row or column, which moves no label
_SIDEWAYS = 5  # EXIF orientations from here on change width and height
_BEYOND = 0.02  # of the stated image's longer side, beyond which a label is not of that image
_FITTING = 0.8  # of the faces, whose labels lie in images of the stated sizes
_MOST = 0.8  # of the images, which are told together
_FEW = 3  # images that are reported one by one
_LOOKED_AT = 50  # faces when labels are loaded
_log = logging.getLogger(__name__)


class StatedSizes:
    """Finds the size of an image file by the end of its path: files name images by many paths."""

    def __init__(self, sizes: Sizes) -> None:
        self._by_name: dict[str, list[tuple[tuple[str, ...], tuple[int, int]]]] = {}
        for name, size in sizes.items():
            parts = PurePosixPath(name).parts
            if parts:
                self._by_name.setdefault(parts[-1], []).append((parts, size))

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def of(self, image: Path) -> tuple[int, int] | None:
        """None if the file does not state it, or states several for names that fit equally."""
        fitting = self._by_name.get(image.name, [])
        shared = [shared_end(parts, image.parts) for parts, _ in fitting]
        best = {size for (_, size), n in zip(fitting, shared, strict=True) if n == max(shared)}
        return best.pop() if len(best) == 1 else None


def stated_sizes_of(module: ModuleType, root: Path) -> StatedSizes:
    """The sizes that a dataset's files state; none if its format has no sizes."""
    return StatedSizes(module.stated_sizes(root) if hasattr(module, "stated_sizes") else {})


@dataclass(frozen=True)
class OtherSize:
    """A face whose image has another size than its label file states; both width, height."""

    face: int
    image: Path
    stated: tuple[int, int]
    actual: tuple[int, int]

    @property
    def ratio(self) -> float | None:
        """How many times larger the image is than stated; None if it has another shape."""
        (w, h), (width, height) = self.stated, self.actual
        # Both sizes are rounded to whole pixels.
        rounding = max(w + h, width + height) / 2
        return (width + height) / (w + h) if abs(width * h - height * w) <= rounding else None

    def __str__(self) -> str:
        (w, h), (width, height) = self.stated, self.actual
        change = "another shape" if self.ratio is None else f"{self.ratio:.3g} times as large"
        stated = f"its label file states {w} x {h} pixels"
        return f"{stated}, its image has {width} x {height} ({change})"


def other_sizes(
    faces: Faces, sizes: Float64[np.ndarray, "N 2"], stated: StatedSizes
) -> list[OtherSize]:
    """The faces whose images have another size than is stated.

    ``sizes``: of the upright images; NaN if unknown. The size of an image as it is stored, which
    EXIF turns, is no other one. Empty if labels reach beyond the stated sizes: then these are
    wrong, and no label.
    """
    found: list[OtherSize] = []
    for i, image in enumerate(faces.images):
        if not isinstance(image, Path):
            continue
        told = stated.of(image)
        if told is None or np.isnan(sizes[i]).any() or min(told) < 1:
            continue
        actual = (int(sizes[i, 0]), int(sizes[i, 1]))
        if _is_near(told, actual):
            continue
        is_sideways = (
            _is_near(told, (actual[1], actual[0])) and stored_orientation(image)[0] >= _SIDEWAYS
        )
        if not is_sideways:
            found.append(OtherSize(i, image, told, actual))
    fitting = sum(fits_stated(faces, each) for each in found)
    return found if fitting >= _FITTING * len(found) else []


def warn_of_other_sizes(faces: Faces, module: ModuleType, root: Path) -> None:
    """Warn if some of these images have another size than their label file states.

    A few faces tell, spread over the set; ``nasion data check`` looks at all.
    """
    if not hasattr(module, "stated_sizes") or not len(faces):
        return
    sample = faces[:: -(-len(faces) // _LOOKED_AT)]
    others = other_sizes(sample, image_sizes(sample), stated_sizes_of(module, root))
    if others:
        _log.warning(
            "%s: of %d faces looked at, the images of %d have another size than their label file "
            "states, as %s: %s. Labels made on the other size are at wrong places; see nasion data "
            "check.",
            root.name,
            len(sample),
            len(others),
            sample.ids[others[0].face],
            others[0],
        )


def _is_near(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= _CUT


def fits_stated(faces: Faces, other: OtherSize) -> bool:
    """Whether all of a face's labels lie in an image of the stated size."""
    points = faces.points[other.face][faces.labelled[other.face]]
    slack = _BEYOND * max(other.stated)
    return bool((points >= -slack).all() and (points <= np.array(other.stated) + slack).all())


def told_sizes(others: Sequence[OtherSize], images: int) -> Iterator[tuple[int, str]]:
    """(position, what is wrong) once for all if they are most of ``images``, else for each image.

    A file of other sizes throughout is one mistake, a few images are as many.
    """
    by_image: dict[Path, OtherSize] = {}
    for each in others:
        by_image.setdefault(each.image, each)
    if len(by_image) > _FEW and len(by_image) >= _MOST * images:
        first = others[0]
        yield first.face, f"{first}, as have {len(by_image)} of {images} images; {_REMEDY}."
        return
    for each in by_image.values():
        yield each.face, f"{each}; {_REMEDY}."


_REMEDY = (
    "labels that were made on an image of the stated size are at wrong places in this one. Use the "
    "images that were labelled, or correct the file"
)
