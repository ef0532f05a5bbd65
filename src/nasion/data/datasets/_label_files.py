"""What writers of label files share: faces by image, and boxes for formats that need one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion.errors import SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import points_box
from nasion.media.file_names import name_as_text
from nasion.media.images import image_size

_LEAST_SIDE = 1.0  # pixels of a box around a single point


@dataclass(frozen=True)
class LabelledImage:
    """An image and the positions of its faces. ``name``: relative to the images' folder."""

    path: Path
    name: str
    size: tuple[int, int]  # width, height
    faces: tuple[int, ...]


def labelled_images(faces: Faces, folder: Path) -> list[LabelledImage]:
    """The image files of faces in the order in which they come; all must lie in ``folder``."""
    by_image: dict[Path, list[int]] = {}
    for i, image in enumerate(faces.images):
        if not isinstance(image, Path) or not image.is_relative_to(folder):
            raise SettingError(
                f"{faces.ids[i]}: its image is no file in {folder}; write images there first, as "
                "nasion data convert does."
            )
        by_image.setdefault(image, []).append(i)
    return [
        LabelledImage(
            image, name_as_text(image.relative_to(folder).as_posix()), image_size(image), tuple(at)
        )
        for image, at in by_image.items()
    ]


def known_box(faces: Faces, i: int) -> tuple[float, float, float, float] | None:
    """A face's box x0 y0 x1 y1, if it has one."""
    if faces.boxes is None or np.isnan(faces.boxes[i]).any():
        return None
    x0, y0, x1, y1 = faces.boxes[i].astype(np.float64).tolist()
    return x0, y0, x1, y1


def box_for_tools(faces: Faces, i: int) -> tuple[float, float, float, float] | None:
    """The face's box, else the tight one around its points; None if it has neither."""
    box = known_box(faces, i)
    if box is not None or not faces.labelled[i].any():
        return box
    x0, y0, x1, y1 = points_box(faces.points[i]).tolist()
    dx, dy = (
        (_LEAST_SIDE if high - low < _LEAST_SIDE else 0) for low, high in ((x0, x1), (y0, y1))
    )
    return x0 - dx / 2, y0 - dy / 2, x1 + dx / 2, y1 + dy / 2


def is_occluded(faces: Faces, i: int, k: int) -> bool:
    """Whether point ``k`` of face ``i`` is labelled and marked as occluded."""
    return bool(faces.occluded is not None and faces.occluded[i, k] and faces.labelled[i, k])
