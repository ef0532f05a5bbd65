"""FG-NET (Cootes and Lanitis, 2004): photographs of 82 people from 0 to 69 years, with 68 points.

Files are named ``PPPaYY`` by person and age, with a letter if there are several: ``010a07b.pts`` is
of ``010a07b.jpg``, beside it or, as published, in ``images`` beside ``points``. The points are in
an order of their own, not iBUG's, and count pixels from 1. Research use.
"""

from __future__ import annotations

from pathlib import Path

from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._pts_text import pts_text, read_points
from nasion.data.datasets._set_folders import FGNET_NAME, is_fgnet
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.fgnet import fgnet68
from nasion.media.counted import counted
from nasion.media.files import write_text

SCHEME: Scheme = fgnet68
SPLITS = ("all",)
PIXEL_ORIGIN = 1  # what the files call the first pixel
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
_GROUPS = ("person", "age")


def recognises(root: Path) -> bool:
    return is_fgnet(root)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a folder. Groups: person (linked), age in decades as ``20-29``."""
    check_split(split, SPLITS, "fgnet")
    paths = sorted(
        path for path in root.rglob("*" + any_case(".pts")) if FGNET_NAME.fullmatch(path.stem)
    )
    if not paths:
        raise DataError(f"{root}: no .pts files named as 001a02.pts here; give their folder.")
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        points = read_points(path, place)
        if len(points) != len(SCHEME):
            raise DataError(f"{place}: {counted(len(points), 'point')}, {len(SCHEME)} expected.")
        folder = path.parent
        if folder.name == "points" and (folder.parent / "images").is_dir():
            folder = folder.parent / "images"
        image = images.find(folder, path.stem, place)
        return LabelledFace(str(image.relative_to(root)), image, points, _groups(path.stem))

    found = read_each(root, paths, read_one, faults)
    return as_faces(found, SCHEME, _GROUPS, linked=("person",), tight_boxes=True)


def _groups(stem: str) -> tuple[str, str]:
    named = FGNET_NAME.fullmatch(stem) or ["", "", "0"]
    decade = int(named[2]) // 10 * 10
    return named[1], f"{decade:02d}-{decade + 9:02d}"


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write a ``.pts`` file beside each image, which must be named as FG-NET's are."""
    if faces.scheme != SCHEME:
        raise SettingError(f"fgnet has the scheme {SCHEME.name}, these faces {faces.scheme.name}.")
    images = [Path(str(image)) for image in faces.images]
    for image in images:
        if not FGNET_NAME.fullmatch(image.stem):
            raise SettingError(
                f"fgnet: the image {image.name} is not named by person and age, as 010a07b.jpg; "
                "write ibug68 instead, which has .pts files of any name."
            )
    for image, points in zip(images, faces.points, strict=True):
        write_text(image.with_suffix(".pts"), pts_text(points))
    return folder
