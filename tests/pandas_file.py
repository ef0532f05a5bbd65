"""Tables as pandas writes them to HDF5 files, made without pandas."""

import numpy as np
import pytest


def write_h5(path, columns, rows, values, names=("scorer", "bodyparts", "coords")):
    """As pandas 3.0 writes a frame with ``to_hdf(path, key="df_with_missing")`` (DeepLabCut's)."""
    h5py = pytest.importorskip("h5py")

    def write_axis(frame, axis, labels, names):
        for k, level in enumerate(zip(*labels, strict=True)):
            known = sorted(set(level))
            values = np.array([name.encode() for name in known])
            frame[f"{axis}_level{k}"] = values
            found = {"kind": np.bytes_(b"string"), "name": np.bytes_(names[k].encode())}
            frame[f"{axis}_level{k}"].attrs.update(found)
            frame[f"{axis}_label{k}"] = np.array([known.index(name) for name in level], np.int8)

    with h5py.File(path, "w") as file:
        frame = file.create_group("df_with_missing")
        frame.attrs.update({"pandas_type": np.bytes_(b"frame"), "nblocks": 1})
        for axis in ("axis0", "block0_items"):
            write_axis(frame, axis, columns, names)
        if isinstance(rows[0], str):
            frame["axis1"] = np.array([row.encode() for row in rows])
        else:
            write_axis(frame, "axis1", rows, ("N.",) * 3)
        frame["block0_values"] = np.array(values, float)
        frame["block0_values"].attrs["transposed"] = np.uint8(1)
    return path
