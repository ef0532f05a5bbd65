"""Faces with iBUG's 68 points (300-W, Sagonas et al., 2013): folders of pictures with a ``.pts`` file of the same name each.

As 300-W is published: ``afw``, ``helen/trainset`` and ``lfpw/trainset`` train, ``helen/testset`` and ``lfpw/testset`` are
the common test set, ``ibug`` the challenge; ``full`` is both. ``train`` and ``val`` are sides of what trains.
A ``.pts`` file counts pixels from 1. A face's box is the tight one around its points, as the protocol has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from nasion import geometry
from nasion.datasets._faults import Faults, note
from nasion.datasets._photograph import photograph
from nasion.errors import AbsentError, DataError, SettingError
from nasion.faces import Faces
from nasion.files import opened, write_text, written_beside
from nasion.scheme import Scheme
from nasion.schemes import ibug68

SCHEME = ibug68
SPLITS = ("all", "training", "common", "challenge", "full")
POOL = "training"  # what train and val are sides of
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
_CHALLENGE = "ibug"


def recognises(root: Path) -> bool:
    return root.is_dir() and next(root.rglob("*.pts"), None) is not None


def read(root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None) -> Faces:
    """The faces of all ``.pts`` files below a folder that have a picture beside them.

    Groups: subset (the first folder's name), photograph (linked: several faces of one picture, mirror twins).
    """
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in ibug68; it has {', '.join(SPLITS)}, and train and val.")
    paths = [path for path in sorted(root.rglob("*.pts")) if _wanted(path.relative_to(root), split)]
    if not paths:
        raise AbsentError(f"{root}: no .pts files of split {split} here; 300-W lies in folders afw, helen/trainset, helen/testset and so on.")
    pictures, points = [], []
    for path in paths:
        place = str(path.relative_to(root))
        try:
            with opened(path) as stream:
                shape = parse(stream.read().decode("latin-1"), place)
            if len(shape) != len(ibug68):
                raise DataError(f"{place}: {len(shape)} points, {len(ibug68)} expected.")
            beside = [path.with_suffix(ending) for kind in _PICTURES for ending in (kind, kind.upper())]
            picture = next((file for file in beside if file.is_file()), None)
            if picture is None:
                raise DataError(f"{place}: no picture of that name beside it ({', '.join(_PICTURES)}).")
        except DataError as error:
            note(faults, place, str(error).removeprefix(f"{place}: "))
            continue
        pictures.append(picture)
        points.append(shape)
    if not pictures:
        raise DataError(f"{root}: no face is left of {len(paths)} .pts files of split {split}.")
    names = [str(picture.relative_to(root)) for picture in pictures]
    return Faces(
        scheme=ibug68,
        ids=tuple(names),
        images=tuple(pictures),
        points=np.stack(points),
        boxes=geometry.points_box(np.stack(points)).astype(np.float32),
        groups={
            "subset": tuple(Path(name).parts[0] if len(Path(name).parts) > 1 else root.name for name in names),
            "photograph": tuple(photograph(name) for name in names),
        },
        linked=("photograph",),
    )


def _wanted(path: Path, split: str) -> bool:
    folders = path.parts[:-1]
    test = "challenge" if _CHALLENGE in folders else "common" if "testset" in folders else None
    return split == "all" or (split == "training" and test is None) or (split == "full" and test is not None) or split == test


def parse(text: str, place: str) -> Float32[np.ndarray, "K 2"]:
    """The points of a ``.pts`` file, with its header and braces or stripped to the rows; pixels counted from 0.

    Raises ``DataError`` naming the line.
    """
    announced, rows = None, []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line in "{}" or line.startswith("version"):
            continue
        if line.startswith("n_points"):
            announced = line.partition(":")[2].strip()
            continue
        fields = line.split()
        try:
            if len(fields) != 2:
                raise ValueError
            x, y = map(float, fields)
            if not np.isfinite([x, y]).all():
                raise ValueError
        except ValueError:
            raise DataError(f"{place} line {number}: {line[:40]!r}, two numbers x y expected.") from None
        rows.append((x - 1, y - 1))
    if announced is not None and announced != str(len(rows)):
        raise DataError(f"{place}: n_points says {announced}, {len(rows)} rows follow.")
    if not rows:
        raise DataError(f"{place}: no points in it.")
    return np.array(rows, dtype=np.float32)


def write(faces: Faces, folder: Path) -> None:
    """Faces with ids as ``afw/1_1.png`` as pictures with a ``.pts`` file beside each; every point must be labelled."""
    for i, name in enumerate(faces.ids):
        with written_beside(folder / name) as beside:
            Image.fromarray(np.asarray(faces.images[i])).save(beside, Path(name).suffix[1:].replace("jpg", "jpeg"))
        rows = "\n".join(f"{x + 1:.6f} {y + 1:.6f}" for x, y in faces.points[i].tolist())
        write_text((folder / name).with_suffix(".pts"), f"version: 1\nn_points: {len(faces.scheme)}\n{{\n{rows}\n}}\n")
