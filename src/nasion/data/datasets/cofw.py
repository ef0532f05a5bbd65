"""COFW (Burgos-Artizzu et al., 2013): 1,852 faces with 29 points and what is occluded.

``COFW_train_color.mat`` (1,345 faces) and ``COFW_test_color.mat`` (507), which hold the images too.
Needs the extra ``matlab``. A face is a column of 29 x, 29 y and 29 flags; pixels count from 1.
Research use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nasion.data.datasets._hdf5 import dataset_values, opened_hdf5
from nasion.data.datasets._label_files import check_split
from nasion.data.datasets._labelled_face import LabelledFace, as_faces
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, SplitNotFound
from nasion.landmarks.catalog import cofw29
from nasion.landmarks.faces import Faces
from nasion.landmarks.geometry import has_area
from nasion.landmarks.scheme import Scheme
from nasion.media.number_text import MAX_COORDINATE
from nasion.media.quoted import listed

SCHEME: Scheme = cofw29
SPLITS = ("all", "training", "test")
POOL = "training"  # what train and val are sides of
PIXEL_ORIGIN = 1  # what the files call the first pixel
_REMEDY = "get it again from where it came."
# Of each side: the file, and its variables' ending, as in phisTr and phisT.
_FILES = {"training": ("COFW_train_color.mat", "Tr"), "test": ("COFW_test_color.mat", "T")}


def recognises(root: Path) -> bool:
    names = {name for name, _ in _FILES.values()}
    return (root.name in names and root.is_file()) or any((root / name).is_file() for name in names)


def files(root: Path, split: str) -> list[Path]:
    """The files of a split that are there. Raises ``SplitNotFound`` if none is."""
    check_split(split, SPLITS, "cofw")
    wanted = [name for side, (name, _) in _FILES.items() if split in ("all", side)]
    folder = root if root.is_dir() else root.parent
    names = [name for name in wanted if root.is_dir() or root.name == name]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise SplitNotFound(f"{root}: {' and '.join(wanted)} not found here.")
    return found


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a split, with their images."""
    found: list[LabelledFace] = []
    images: list[np.ndarray] = []
    for path in files(root, split):
        side, ending = next((s, e) for s, (name, e) in _FILES.items() if name == path.name)
        with opened_hdf5(path, "Reading .mat files of MATLAB 7.3", "matlab", _REMEDY) as file:
            labels, boxes = (_numbers(file, n + ending, path) for n in ("phis", "bboxes"))
            rows, boxes = _by_face(labels, 3 * len(SCHEME), path), _by_face(boxes, 4, path)
            references = _references(file, f"Is{ending}", path)
            if not len(rows) == len(boxes) == len(references):
                raise DataError(
                    f"{path.name}: {len(rows)} labels, {len(boxes)} boxes and {len(references)} "
                    "images; as many of each expected."
                )
            for i, reference in enumerate(references):
                place = f"{path.name} face {i + 1}"
                try:
                    image = _image(file[reference] if reference else None, place)
                    found.append(_face(f"{side}/{i + 1:04d}", rows[i], boxes[i], place))
                    images.append(image)
                except DataError as error:
                    report_fault(faults, place, str(error).removeprefix(place).lstrip(": "))
    if not found:
        raise DataError(f"{root}: no face is left of split {split}.")
    faces = as_faces(found, SCHEME)
    return Faces(
        scheme=SCHEME, ids=faces.ids, images=tuple(images), points=faces.points, boxes=faces.boxes,
        occluded=faces.occluded,
    )  # fmt: skip


def _variable(file: Any, name: str, kinds: str, path: Path) -> np.ndarray:
    if name not in file:
        raise DataError(f"{path.name}: it has no {name}; it has {listed(file) or 'nothing'}.")
    try:
        return dataset_values(file[name], kinds, name)
    except ValueError as error:
        raise DataError(f"{path.name}: {error}; {_REMEDY}") from error


def _numbers(file: Any, name: str, path: Path) -> np.ndarray:
    return _variable(file, name, "fiu", path).astype(np.float64)


def _references(file: Any, name: str, path: Path) -> np.ndarray:
    """References to the images, as MATLAB stores cells."""
    import h5py

    found = _variable(file, name, "O", path)
    if h5py.check_ref_dtype(file[name].dtype) is not h5py.Reference:
        raise DataError(f"{path.name}: {name} has no references to images; {_REMEDY}")
    return found.reshape(-1)


def _by_face(array: np.ndarray, width: int, path: Path) -> np.ndarray:
    """One row per face. MATLAB's columns are HDF5's rows, so either may come first."""
    if array.ndim != 2 or width not in array.shape:
        shape = " x ".join(map(str, array.shape))
        raise DataError(f"{path.name}: an array of {shape}, {width} numbers per face expected.")
    return array.T if array.shape[0] == width else array


def _face(name: str, row: np.ndarray, box: np.ndarray, place: str) -> LabelledFace:
    numbers = np.concatenate([row, box])
    if not (np.isfinite(numbers).all() and np.abs(numbers).max() <= MAX_COORDINATE):
        raise DataError(f"{place}: coordinates that are no numbers of pixels.")
    count = len(SCHEME)
    flags = row[2 * count :]
    if not np.isin(flags, (0, 1)).all():
        raise DataError(f"{place}: occlusion flags other than 0 and 1.")
    x, y, width, height = box.tolist()
    corners = (x - 1, y - 1, x - 1 + width, y - 1 + height)
    if not has_area(np.array(corners)):
        raise DataError(f"{place}: a box of {width:g} x {height:g} pixels, above 0 expected.")
    points = row[: 2 * count].reshape(2, count).T - 1
    return LabelledFace(name, Path(name), points, box=corners, occluded=flags == 1)


def _image(stored: Any, place: str) -> np.ndarray:
    """An image as MATLAB stores it, columns first and colours before them, upright."""
    try:
        image = dataset_values(stored, "u", "its image")
    except ValueError as error:
        raise DataError(f"{place}: {error}.") from error
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise DataError(f"{place}: an image of {image.dtype}, {image.ndim} axes; bytes expected.")
    if image.ndim == 2:
        return image.T.copy()
    if image.shape[0] not in (1, 3):
        raise DataError(f"{place}: an image of {image.shape[0]} colours, 1 or 3 expected.")
    return image.T.copy() if image.shape[0] == 3 else image[0].T.copy()
