"""MATLAB's files without SciPy: the same arrays as its reader, and damage that is refused."""

import itertools
import struct
import sys
import zlib

import numpy as np
import pytest

from nasion.data.datasets import mat3d
from nasion.data.datasets._mat5 import read_arrays
from nasion.errors import DataError

scipy_io = pytest.importorskip("scipy.io")
DTYPES = ("f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", ">f8", ">i2")
SHAPES = ((2, 68), (1, 1), (0, 3), (3, 4, 5), (2, 1, 3, 2))
OTHERS = {
    "cell": np.array(["a", 2.0, [1, 2]], dtype=object),
    "record": {"x": 1, "y": "text"},
    "text": "text",
    "complex": np.ones((2, 2), complex),
    "other": np.ones((30, 200)),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("others", [{}, OTHERS], ids=["alone", "among others"])
def test_arrays_are_as_scipy_reads_them(tmp_path, packed, others):
    rng, path = np.random.default_rng(0), tmp_path / "a.mat"
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        values = (rng.random(shape) * 100).astype(dtype)
        scipy_io.savemat(path, {**others, "pt2d": values, "z": 1.0}, do_compression=packed)
        found = read_arrays(path, "pt2d", "text", "complex", "none")
        assert list(found) == ["pt2d"] and found["pt2d"].dtype == np.float64
        np.testing.assert_array_equal(found["pt2d"], scipy_io.loadmat(path)["pt2d"])


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(order: str = "<", shape=(2, 3), name=b"pt2d", kind=2, data=bytes(range(6))) -> bytes:
    """An array of class double; its numbers are bytes, as MATLAB stores small whole numbers."""
    flags = element(6, struct.pack(f"{order}II", 6, 0), order)
    size = element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return flags + size + element(1, name, order) + element(kind, data, order)


def write(path, *elements: bytes, mark=b"IM", version=0x0100):
    stored = version.to_bytes(2, "little" if mark == b"IM" else "big")
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + stored + mark + b"".join(elements))
    return path


def test_both_byte_orders_and_short_elements_are_read(tmp_path):
    # By columns: the first is 0, 1.
    expected = [[0, 2, 4], [1, 3, 5]]
    for order, mark in (("<", b"IM"), (">", b"MI")):
        path = write(tmp_path / "a.mat", element(14, matrix(order), order), mark=mark)
        assert read_arrays(path, "pt2d")["pt2d"].tolist() == expected
    short = matrix(shape=(2, 2), data=b"")[:-8] + struct.pack("<HH4B", 2, 4, 7, 8, 9, 10)
    path = write(tmp_path / "a.mat", element(14, short))
    assert read_arrays(path, "pt2d")["pt2d"].tolist() == [[7, 9], [8, 10]]


def packed(inner: bytes) -> bytes:
    data = zlib.compress(inner)
    return struct.pack("<II", 15, len(data)) + data


@pytest.mark.parametrize(
    ("elements", "problem"),
    [
        ([element(14, matrix())[:-10]], "an element of 64 bytes at byte 128, where 54 follow"),
        ([element(14, matrix()), b"abc"], "an element of 8 bytes or more at byte 200, where 3"),
        ([element(14, matrix(data=bytes(5)))], "pt2d has 5 bytes, 6 expected for 2 x 3 numbers"),
        ([element(14, matrix(shape=(1 << 30,) * 8))], "pt2d has 6 bytes, .* expected for 1073"),
        ([element(14, matrix(shape=(-2, -3)))], "an array of -2 x -3 at byte"),
        ([element(14, matrix(shape=(2,)))], "an array of 2 at byte .* 2 to 32 dimensions"),
        ([element(14, matrix(kind=14))], "pt2d: numbers of type 14"),
        ([element(14, matrix())] * 2, "it has pt2d twice"),
        ([element(77, bytes(8))], "an element of type 77 at byte 128"),
        ([struct.pack("<HH4B", 2, 9, 1, 2, 3, 4)], "a short element of 9 bytes at byte 128"),
        ([packed(element(14, matrix()))[:-6]], "an element of .* at byte 128, where"),
        ([packed(element(14, matrix()) + b"more")], "76 bytes, 72 expected"),
        ([packed(element(14, matrix())[:-9])], "63 bytes, 72 expected"),
        ([element(15, b"no zlib data")], "Error -3 while decompressing"),
        # Claims 2 GB that are not there.
        ([packed(struct.pack("<II", 14, 1 << 31) + matrix())], "2,147,483,656 bytes, at most"),
    ],
)
def test_damage_is_refused_with_its_place(tmp_path, elements, problem):
    path = write(tmp_path / "a.mat", *elements)
    with pytest.raises(DataError, match=rf"a\.mat.*: damaged or truncated: (?:{problem})"):
        read_arrays(path, "pt2d")


def test_files_of_other_versions_are_named(tmp_path):
    path = tmp_path / "a.mat"
    scipy_io.savemat(path, {"pt2d": np.ones((2, 68))}, format="4")
    with pytest.raises(DataError, match=r"a\.mat: a file of MATLAB 4, .* save -v7\."):
        read_arrays(path, "pt2d")
    write(path, version=0x0200)
    with pytest.raises(DataError, match=r"a\.mat: a file of MATLAB 7\.3, .* save -v7\."):
        read_arrays(path, "pt2d")
    for data in (b"", bytes(500), b"text" * 50, write(path).read_bytes()[:127]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.mat: no file of MATLAB 5"):
            read_arrays(path, "pt2d")


def test_a_folder_of_fitted_heads_needs_no_other_package(tmp_path, monkeypatch):
    from published_sets import write_mat3d

    write_mat3d(tmp_path, 4)
    # Importing a module that is None raises ImportError.
    for name in ("scipy", "scipy.io", "h5py"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(mat3d.read(tmp_path)) == 4
