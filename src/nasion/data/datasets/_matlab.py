"""MATLAB's files: version 5 (SciPy) and 7.3, which is HDF5 (h5py). Both come with an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import DataError, refusing_damage, requires_extra

_EXTRA = "matlab"


def read_arrays(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Those of these arrays that a file of version 5 has, as float64."""
    with requires_extra("Reading .mat files", _EXTRA):
        from scipy.io import loadmat
    with refusing_damage(path):
        found: dict[str, Any] = loadmat(path, variable_names=list(names))
        return {n: np.asarray(found[n], dtype=np.float64) for n in names if n in found}


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """A file of version 7.3, open to be read; whatever is wrong inside is a ``DataError``."""
    with requires_extra("Reading .mat files of MATLAB 7.3", _EXTRA):
        import h5py
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    with refusing_damage(path), h5py.File(path, "r") as file:
        yield file
