"""What readers and writers of label files share.

Readers: which splits there are, which file a path means, and whether it is of their kind. Writers:
faces by image, and boxes for formats that need one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasion.errors import DataError, SettingError, require
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import points_box
from nasion.media.file_names import name_as_text
from nasion.media.files import utf16_of
from nasion.media.images import image_size
from nasion.media.quoted import quoted
from nasion.media.signatures import IMAGE_SUFFIXES

_LEAST_SIDE = 1.0  # pixels of a box around a single point
_JSON_HEAD, _XML_HEAD = 1 << 26, 4096  # bytes in which keys and the first element are looked for
_SHOWN = 3  # files in a message
_ANNOTATIONS = "annotations"  # COCO's folder of label files, beside that of images
TABLES, JSON, XML = (".csv", ".tsv", ".gz"), (".json", ".jsonl"), (".xml",)
# Files of published sets, and of tools whose labels are in a folder of their own.
_OTHERS = (".pts", ".asf", ".slp", ".yaml", ".tem", ".mat", ".txt")
LABEL_SUFFIXES = (*TABLES, *JSON, *XML, *_OTHERS)


def check_split(split: str, splits: Sequence[str], name: str) -> None:
    """Raise ``SettingError`` if the dataset of this name has no such split."""
    require(split in splits, f"No split {quoted(split)} in {name}; it has {', '.join(splits)}.")


def only_file(root: Path, *suffixes: str) -> Path | None:
    """The file at a path, if it has one of these suffixes, or the only such file of a folder."""
    if not root.is_dir():
        return root if root.is_file() and root.suffix.lower() in suffixes else None
    found = _files_in(label_folder(root), suffixes)
    return found[0] if len(found) == 1 else None


def label_file(root: Path, *suffixes: str) -> Path:
    """The file that a path means: itself, whatever its suffix, or a folder's ``only_file``.

    Raises ``DataError``.
    """
    if not root.is_dir():
        return root
    found = _files_in(label_folder(root), suffixes)
    if len(found) == 1:
        return found[0]
    wanted = " or ".join(suffixes)
    if not found:
        raise DataError(f"{root}: no file in it ends in {wanted}; give the labels' file.")
    names = ", ".join(path.name for path in found[:_SHOWN])
    more = " ..." if len(found) > _SHOWN else ""
    raise DataError(
        f"{root}: {len(found)} files in it end in {wanted} ({names}{more}); give the path of one."
    )


def label_folder(root: Path) -> Path:
    """The folder in which a data folder's label files lie: itself, else COCO's ``annotations``."""
    inside = root / _ANNOTATIONS
    if not inside.is_dir():
        return root
    own = (path for path in root.iterdir() if path.suffix.lower() in LABEL_SUFFIXES)
    # A text is a README more often than labels.
    has_own = any(path.is_file() and path.suffix.lower() != ".txt" for path in own)
    return root if has_own else inside


def images_root(labels: Path) -> Path:
    """The folder in or below which a label file's images lie: its own.

    Of a file in ``annotations`` that has no images, the folder above, as COCO has ``images`` there.
    """
    folder = labels.parent
    if folder.absolute().name != _ANNOTATIONS or not folder.is_dir():
        return folder
    inside = folder.iterdir()
    if any(path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES for path in inside):
        return folder
    # Of `.` too, which has no folder above it in its name.
    return folder.parent if folder.name else folder.absolute().parent


def _files_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    return sorted(path for path in found if path.is_file() and not is_resource_fork(path))


def is_resource_fork(path: Path) -> bool:
    """True for ``._labels.json``, as macOS writes beside ``labels.json`` on disks of others."""
    return path.name.startswith("._")


def any_case(suffix: str) -> str:
    """The pattern of a suffix in upper or lower case: ``*`` and it match ``A.PTS``, too."""
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in suffix)


def has_keys(path: Path, *keys: str) -> bool:
    """True if a JSON file seems to have all of these keys, without parsing it."""
    with path.open("rb") as file:
        head = file.read(_JSON_HEAD)
    return all(f'"{key}"'.encode() in head for key in keys)


def begins_with_element(path: Path, name: str) -> bool:
    """True if an XML file seems to begin with this element, without parsing it."""
    with path.open("rb") as file:
        head = file.read(_XML_HEAD)
    return f"<{name}" in head.decode(utf16_of(head) or "latin-1", "replace")


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
