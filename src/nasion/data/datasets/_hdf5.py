"""HDF5 files, as MATLAB 7.3, pandas and SLEAP write them: datasets are checked, then read.

In a damaged file a group or a type may stand where a dataset is expected, and a dataset may claim
more values than any memory holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Shaped
from nasion.errors import DataError, refusing_damage, requires_extra

_MOST = 1 << 29  # bytes that are read at once
_MOST_TEXTS = 1000  # of an attribute
_NAMES = {"S": "names", "V": "table", "O": "texts or references"}  # of NumPy's kinds; else numbers


@contextmanager
def opened_hdf5(path: Path, feature: str, extra: str, remedy: str) -> Iterator[Any]:
    """The open file; whatever is wrong inside is a ``DataError``, which ends in ``remedy``.

    Raises ``MissingExtra`` without h5py; ``feature`` and ``extra`` are named in it.
    """
    with requires_extra(feature, extra):
        import h5py
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    with refusing_damage(path, remedy=remedy), h5py.File(path, "r") as file:
        yield file


def dataset(stored: Any, kinds: str, name: str, by_row: bool = False) -> Any:
    """``stored``, if it is a dataset of one of NumPy's ``kinds`` that fits into memory.

    ``by_row``: if each of its rows does. ``ValueError`` says what it is; ``name``: what it is
    called there.
    """
    # Of HDF5's objects, only datasets have a shape.
    if not hasattr(stored, "shape") or stored.dtype.kind not in kinds:
        raise ValueError(f"{name} holds no plain {_NAMES.get(kinds[0], 'numbers')}")
    count = 1 if by_row and stored.shape and stored.shape[0] else 0
    if stored.size is None or math.prod(stored.shape[count:]) * stored.dtype.itemsize > _MOST:
        raise ValueError(f"{name} has the shape {stored.shape}; too many values, or none")
    return stored


def dataset_values(stored: Any, kinds: str, name: str) -> Shaped[np.ndarray, " *shape"]:
    """The values of a ``dataset``. Raises ``ValueError`` as it does."""
    return np.asarray(dataset(stored, kinds, name)[()])


def texts_attribute(stored: Any, name: str) -> list[str]:
    """An attribute's texts, of one or several; none if it is not there.

    Raises ``ValueError`` as ``attribute``.
    """
    if name not in stored.attrs or stored.attrs.get_id(name).shape is None:
        return []
    found = stored.attrs.get_id(name)
    if found.dtype.kind not in "SO" or np.prod(found.shape) > _MOST_TEXTS:
        raise ValueError(f"{name} holds no texts, or more than {_MOST_TEXTS}")
    values = np.asarray(stored.attrs[name]).reshape(-1).tolist()
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values]


def attribute(stored: Any, name: str, kinds: str) -> Any:
    """An attribute's single value of one of NumPy's ``kinds`` as Python's own; None for none.

    ``O``, text of variable length, only where tools write it: a damaged file of such text can keep
    the library of HDF5 in an endless loop. Raises ``ValueError`` for another kind.
    """
    if name not in stored.attrs:
        return None
    found = stored.attrs.get_id(name)
    if found.shape is None:  # empty text
        return None
    if found.dtype.kind not in kinds or found.shape not in ((), (1,)):
        raise ValueError(f"{name} is no single {'text' if kinds[0] == 'S' else 'number'}")
    value = np.asarray(stored.attrs[name]).reshape(-1)[0]
    return value.item() if isinstance(value, np.generic) else value
