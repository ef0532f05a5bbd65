"""Images with a ``.pts`` file each, as iBUG's 68 points (300-W, Sagonas et al., 2013).

As 300-W is published: ``afw``, ``helen/trainset`` and ``lfpw/trainset`` are for training,
``helen/testset`` and ``lfpw/testset`` are the common test set, ``ibug`` the challenging one;
``full`` is both. ``train`` and ``val`` are sides of the training folders. A ``.pts`` file counts
pixels from 1. A face's box is the tight one around its points, as in the protocol. Files of another
number of points are read in the scheme that has as many. ``photo-2.pts`` is the second face of
``photo.jpg``, as nasion writes it, unless there is a ``photo-2.jpg``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from nasion.array_types import Float32
from nasion.data.datasets._label_files import (
    any_case,
    check_split,
    is_resource_fork,
    labelled_images,
)
from nasion.data.datasets._photographs import photograph
from nasion.data.datasets._pts_text import read_points
from nasion.data.datasets._set_folders import is_fgnet, is_merl_rav
from nasion.data.label_frames import video_of
from nasion.data.own_schemes import scheme_of_numbered
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SettingError, SplitNotFound
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.files import atomic_write, write_text
from nasion.media.signatures import IMAGE_SUFFIXES

SCHEME: Scheme = ibug68
SPLITS = ("all", "training", "common", "challenge", "full")
POOL = "training"  # what train and val are sides of
IMAGE_FOLDER = ""
KEEPS: tuple[str, ...] = ()  # of what labels may have beside points
PIXEL_ORIGIN = 1  # what the files call the first pixel
_CHALLENGE = "ibug"
_FILES = "*" + any_case(".pts")
_SPELLED_SUFFIXES = [
    spelled for suffix in IMAGE_SUFFIXES for spelled in (suffix, suffix.upper(), suffix.title())
]
_NUMBERED = re.compile(r"(.+)[-#](\d+)$", re.S)  # NAME#2: the second face; NAME-2: older files


def recognises(root: Path) -> bool:
    """True for a folder with ``.pts`` files that is not known as another set's."""
    has_files = root.is_dir() and next(root.rglob(_FILES), None) is not None
    return has_files and not is_fgnet(root) and not is_merl_rav(root)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of all ``.pts`` files below a folder that have an image beside them.

    ``scheme``: what the points mean, if it has as many as the files. Groups: subset (the first
    folder's name), photograph (linked: several faces of one image, mirrored copies, and all frames
    of a video, as of 300-VW).
    """
    check_split(split, SPLITS, "ibug68")
    paths = sorted(path for path in root.rglob(_FILES) if not is_resource_fork(path))
    paths = [path for path in paths if _in_split(path.relative_to(root), split)]
    if not paths:
        raise SplitNotFound(
            f"{root}: no .pts files of split {split} here; "
            "300-W lies in folders afw, helen/trainset, helen/testset and so on."
        )
    read_files = _read_files(root, paths, faults)
    if not read_files:
        raise DataError(f"{root}: no face is left of {len(paths)} .pts files of split {split}.")
    scheme, read_files = _of_one_scheme(root, read_files, scheme, faults)
    images = [image_of(path)[0] for path in read_files]
    names = [str(image.relative_to(root)) for image in images]
    parts = [Path(name).parts for name in names]
    points = np.stack(list(read_files.values()))
    return Faces(
        scheme=scheme,
        ids=tuple(n + image_of(path)[1] for n, path in zip(names, read_files, strict=True)),
        images=tuple(images),
        points=points,
        boxes=geometry.tight_boxes(points),
        groups={
            "subset": tuple(part[0] if len(part) > 1 else root.name for part in parts),
            "photograph": _photographs(root, read_files, names),
        },
        linked=("photograph",),
    )


def _photographs(root: Path, paths: Iterable[Path], names: list[str]) -> tuple[str, ...]:
    """What each face is of: a photograph, or a video, whose frames are all alike."""
    videos: dict[Path, Path | None] = {}
    found: list[str] = []
    for path, name in zip(paths, names, strict=True):
        is_frame = path.stem.isascii() and path.stem.isdecimal()
        if is_frame and path.parent not in videos:
            videos[path.parent] = video_of(path)
        video = videos.get(path.parent) if is_frame else None
        inside = video is not None and video.is_relative_to(root)
        # Mirrored copies of 300-W's may lie in folders of their own.
        own = photograph(PurePath(name).name)
        found.append(str(video.relative_to(root)) if video and inside else own)
    return tuple(found)


def _read_files(
    root: Path, paths: list[Path], faults: Faults
) -> dict[Path, Float32[np.ndarray, "K 2"]]:
    """The points of each file that can be read and has an image."""
    found: dict[Path, np.ndarray] = {}
    for path in paths:
        place = str(path.relative_to(root))
        try:
            points = read_points(path, place)
            if not image_of(path)[0].is_file():
                known = ", ".join(IMAGE_SUFFIXES)
                remedy = _of_a_video(path)
                raise DataError(f"{place}: no image of that name beside it ({known}){remedy}.")
            found[path] = points
        except DataError as error:
            report_fault(faults, place, str(error).removeprefix(place).lstrip(": "))
    return found


def _of_one_scheme(
    root: Path, files: dict[Path, np.ndarray], requested: Scheme | None, faults: Faults
) -> tuple[Scheme, dict[Path, np.ndarray]]:
    """The scheme of most files, and the files that have its number of points."""
    count = Counter(len(points) for points in files.values()).most_common(1)[0][0]
    scheme = scheme_of_numbered(root.name or "pts", count, requested)
    if scheme is None:
        wanted = f"; {requested.name} has {len(requested)}" if requested else ""
        raise DataError(
            f"{root}: its .pts files have {count} points, which fits no scheme, or several{wanted}."
            f" Name one that has {count} points (--scheme), or write it (nasion scheme init)."
        )
    for path, points in files.items():
        if len(points) != count:
            place = str(path.relative_to(root))
            report_fault(
                faults,
                place,
                f"{counted(len(points), 'point')}, {count} expected as in the others.",
            )
    return scheme, {path: points for path, points in files.items() if len(points) == count}


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


def image_of(path: Path) -> tuple[Path, str]:
    """The image that a ``.pts`` file is of, and the face's number in it: empty, ``#2``, ``#3``.

    The ``.pts`` file itself stands for an image that is not there.
    """
    numbered = _NUMBERED.match(path.stem)
    if image := _image_beside(path):
        return image, ""
    if numbered and (image := _image_beside(path.with_name(f"{numbered[1]}.pts"))):
        return image, f"#{numbered[2]}"
    return path.with_suffix(IMAGE_SUFFIXES[0]), ""


def _image_beside(path: Path) -> Path | None:
    """The image with the same name as a label file."""
    files = (path.with_suffix(suffix) for suffix in _SPELLED_SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _of_a_video(path: Path) -> str:
    """What to do with the labels of a video's frames, as 300-VW has them."""
    video = video_of(path)
    if video is None:
        return ""
    return (
        f"; it is a frame of {video.name}: write the frames beside their labels with "
        f"nasion data frames {path.parent}"
    )


def write(faces: Faces, folder: Path) -> None:
    """Write images and ``.pts`` files, ids as ``afw/1_1.png``. Every point must be labelled."""
    for i, name in enumerate(faces.ids):
        kind = Path(name).suffix[1:].replace("jpg", "jpeg")
        with atomic_write(folder / name) as temporary:
            Image.fromarray(np.asarray(faces.images[i])).save(temporary, kind)
        write_text((folder / name).with_suffix(".pts"), _pts_text(faces.points[i].tolist()))


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``photo.pts`` beside ``photo.jpg``, ``photo#2.pts`` for its second face.

    A point that is not labelled is ``nan nan``. Names, boxes and occlusion are lost. Raises
    ``SettingError`` for images whose files differ only in their suffix.
    """
    images = labelled_images(faces, folder)
    stems = {image.path.with_suffix("") for image in images}
    if len(stems) < len(images):
        raise SettingError(
            f"{folder}: images whose names differ only in their suffix would share a .pts file; "
            "rename one of them."
        )
    for image in images:
        number = 1
        for i in image.faces:
            stem = image.path.with_suffix("")
            while (
                number > 1
                and (stem := image.path.with_name(f"{image.path.stem}#{number}")) in stems
            ):
                number += 1
            stems.add(stem)
            write_text(stem.with_name(f"{stem.name}.pts"), _pts_text(faces.points[i].tolist()))
            number += 1
    return folder


def _pts_text(points: list[list[float]]) -> str:
    # From 0 to the format's 1.
    rows = "\n".join(f"{x + 1:.6f} {y + 1:.6f}" for x, y in points)
    return f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}\n"
