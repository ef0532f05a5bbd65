"""Faces with iBUG's 68 points (300-W, Sagonas et al., 2013): images with a ``.pts`` file each.

As 300-W is published: ``afw``, ``helen/trainset`` and ``lfpw/trainset`` are for training,
``helen/testset`` and ``lfpw/testset`` are the common test set, ``ibug`` the challenging one;
``full`` is both. ``train`` and ``val`` are sides of the training folders. A ``.pts`` file counts
pixels from 1. A face's box is the tight one around its points, as in the protocol.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from nasion.data.datasets._photographs import photograph
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SettingError, SplitNotFound
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import atomic_write, open_bytes, write_text
from nasion.media.number_text import parse_coordinate

SCHEME: Scheme = ibug68
SPLITS = ("all", "training", "common", "challenge", "full")
POOL = "training"  # what train and val are sides of
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_CHALLENGE = "ibug"


def recognises(root: Path) -> bool:
    return root.is_dir() and next(root.rglob("*.pts"), None) is not None


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of all ``.pts`` files below a folder that have an image beside them.

    Groups: subset (the first folder's name), photograph (linked: several faces of one image, and
    mirrored copies).
    """
    if split not in SPLITS:
        splits = ", ".join(SPLITS)
        raise SettingError(f"No split {split!r} in ibug68; it has {splits}, and train and val.")
    paths = sorted(root.rglob("*.pts"))
    paths = [path for path in paths if _in_split(path.relative_to(root), split)]
    if not paths:
        raise SplitNotFound(
            f"{root}: no .pts files of split {split} here; "
            "300-W lies in folders afw, helen/trainset, helen/testset and so on."
        )
    images, points = [], []
    for path in paths:
        place = str(path.relative_to(root))
        try:
            points.append(_read_points(path, place))
        except DataError as error:
            report_fault(faults, place, str(error).removeprefix(place).lstrip(": "))
            continue
        images.append(image_beside(path))
    if not images:
        raise DataError(f"{root}: no face is left of {len(paths)} .pts files of split {split}.")
    names = [str(image.relative_to(root)) for image in images]
    parts = [Path(name).parts for name in names]
    return Faces(
        scheme=ibug68,
        ids=tuple(names),
        images=tuple(images),
        points=np.stack(points),
        boxes=geometry.points_box(np.stack(points)).astype(np.float32),
        groups={
            "subset": tuple(part[0] if len(part) > 1 else root.name for part in parts),
            "photograph": tuple(photograph(name) for name in names),
        },
        linked=("photograph",),
    )


def _in_split(path: Path, split: str) -> bool:
    folders = path.parts[:-1]
    test_set = None
    if _CHALLENGE in folders:
        test_set = "challenge"
    elif "testset" in folders:
        test_set = "common"
    if split == "all":
        return True
    if split == "training":
        return test_set is None
    if split == "full":
        return test_set is not None
    return split == test_set


def _read_points(path: Path, place: str) -> Float32[np.ndarray, "K 2"]:
    with open_bytes(path) as stream:
        # Latin-1 decodes any bytes; whatever is not a number is refused with its line.
        points = parse(stream.read().decode("latin-1"), place)
    if len(points) != len(ibug68):
        raise DataError(f"{place}: {len(points)} points, {len(ibug68)} expected.")
    if image_beside(path) is None:
        known = ", ".join(_SUFFIXES)
        raise DataError(f"{place}: no image of that name beside it ({known}).")
    return points


def image_beside(path: Path) -> Path | None:
    """The image with the same name as a label file."""
    suffixes = [case for suffix in _SUFFIXES for case in (suffix, suffix.upper())]
    files = (path.with_suffix(suffix) for suffix in suffixes)
    return next((file for file in files if file.is_file()), None)


def parse(text: str, place: str) -> Float32[np.ndarray, "K 2"]:
    """The points of a ``.pts`` file, with header and braces or bare rows; pixels from 0.

    Raises ``DataError`` that names the line.
    """
    declared, rows = None, []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line in "{}" or line.startswith("version"):
            continue
        if line.startswith("n_points"):
            declared = line.partition(":")[2].strip()
            continue
        fields = line.split()
        try:
            if len(fields) != 2:
                raise ValueError
            x, y = map(parse_coordinate, fields)
        except ValueError:
            raise DataError(
                f"{place} line {number}: {line[:40]!r}, two numbers x y expected."
            ) from None
        # Counted from 1 in the file, from 0 here.
        rows.append((x - 1, y - 1))
    if declared is not None and declared != str(len(rows)):
        raise DataError(f"{place}: n_points says {declared[:20]}, {len(rows)} rows follow.")
    if not rows:
        raise DataError(f"{place}: it holds no points.")
    return np.array(rows, dtype=np.float32)


def write(faces: Faces, folder: Path) -> None:
    """Write images and ``.pts`` files, ids as ``afw/1_1.png``. Every point must be labelled."""
    for i, name in enumerate(faces.ids):
        kind = Path(name).suffix[1:].replace("jpg", "jpeg")
        with atomic_write(folder / name) as temporary:
            Image.fromarray(np.asarray(faces.images[i])).save(temporary, kind)
        rows = "\n".join(f"{x + 1:.6f} {y + 1:.6f}" for x, y in faces.points[i].tolist())
        text = f"version: 1\nn_points: {len(faces.scheme)}\n{{\n{rows}\n}}\n"
        write_text((folder / name).with_suffix(".pts"), text)
