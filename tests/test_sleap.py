"""SLEAP's files: skeleton, visibility, format versions, packages, and what is refused."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasion.data import convert
from nasion.data.datasets import recognise, sleap
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.errors import DataError

h5py = pytest.importorskip("h5py")

EDGE, SYMMETRY = (
    {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [kind]}]} for kind in (1, 2)
)
POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
INSTANCE = [
    ("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"),
    ("track", "i4"), ("from_predicted", "i8"), ("score", "f4"), ("point_id_start", "u8"),
    ("point_id_end", "u8"),
]  # fmt: skip
FRAME = [
    ("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8"), ("instance_id_start", "u8"),
    ("instance_id_end", "u8"),
]  # fmt: skip


def write(folder, points, kinds=(0,), backend=None, version=1.2, **more):
    """A project of one image per instance; the skeleton takes its nodes from a longer list."""
    names = ["tail", "Auge links", "Auge rechts", "Nase"]
    links = [
        {"source": 1, "target": 2, "type": SYMMETRY},
        {"source": 1, "target": 3, "type": EDGE},
        {"source": 2, "target": 1, "type": {"py/id": 1}},
        {"source": 2, "target": 3, "type": {"py/id": 2}},
    ]
    skeleton = {"nodes": [{"id": 3}, {"id": 1}, {"id": 2}], "links": links, "directed": True}
    metadata = {"nodes": [{"name": name} for name in names], "skeletons": [skeleton], **more}
    files = [f"/data/mine/{k}.png" for k in range(len(kinds))]
    for name in files:
        Image.new("L", (40, 30)).save(folder / Path(name).name)
    rows = np.array([(x, y, v, True) for x, y, v in points], dtype=POINT)
    ids = [(k, kind, k, 0, -1, -1, 0, 3 * k, 3 * k + 3) for k, kind in enumerate(kinds)]
    with h5py.File(folder / "labels.slp", "w") as file:
        file.create_group("metadata").attrs["json"] = np.bytes_(json.dumps(metadata))
        file["metadata"].attrs["format_id"] = version
        video = {"backend": backend or {"type": "ImageVideo", "filenames": files}}
        file["videos_json"] = [np.bytes_(json.dumps(video))]
        file["points"], file["instances"] = rows, np.array(ids, dtype=INSTANCE)
        file["frames"] = np.array([(k, 0, k, k, k + 1) for k in range(len(kinds))], dtype=FRAME)
    return folder / "labels.slp"


FACE = [(10, 11, True), (20, 21, True), (30, 12, False)]


def test_the_skeleton_gives_points_edges_and_pairs(tmp_path):
    path = write(tmp_path, FACE)
    assert recognise(path) == recognise(tmp_path) == "sleap"
    faces = sleap.read(path)
    assert faces.scheme.points == ("Nase", "Auge links", "Auge rechts")
    assert faces.scheme.mirror == (("Auge links", "Auge rechts"),)
    assert set(faces.scheme.edges) == {("Auge links", "Nase"), ("Auge rechts", "Nase")}
    # A point that is not visible lies where SLEAP put it at first.
    np.testing.assert_array_equal(faces.points, [[[10, 11], [20, 21], [np.nan, np.nan]]])
    assert faces.images == (tmp_path / "0.png",)


def test_files_before_format_1_1_count_from_the_first_pixels_corner(tmp_path):
    faces = sleap.read(write(tmp_path, FACE, version=1.0))
    np.testing.assert_array_equal(faces.points[0, 0], [9.5, 10.5])
    path = write(tmp_path, [(0, 0, True), *FACE[1:]], version=1.0)
    assert not load_faces(None, path, reading=LabelReading(missing="0")).labelled[0, 0]


def test_predicted_instances_are_left_out(tmp_path):
    path = write(tmp_path, [*FACE, (1, 2, True), (3, 4, True), (5, 6, True)], kinds=(1, 0))
    assert sleap.read(path).images == (tmp_path / "1.png",)
    with pytest.raises(DataError, match="no instance that a person labelled"):
        sleap.read(write(tmp_path, FACE, kinds=(1,)))


def test_a_package_holds_its_images(tmp_path):
    backend = {"type": "HDF5Video", "filename": ".", "dataset": "video0/video"}
    path = write(tmp_path, [*FACE, *FACE[:1], (1, 1, True), (2, 2, True)], (0, 0), backend)
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 10, 10)).save(buffer, "PNG")
    with h5py.File(path, "a") as file:
        encoded = np.frombuffer(buffer.getvalue(), np.int8)
        file["video0/video"] = np.stack([encoded, encoded])
        file["video0/video"].attrs["channel_order"] = "RGB"
        file["video0/frame_numbers"] = [1, 0]
    faces = sleap.read(path)
    assert faces.ids == ("video0/frame_000000.png", "video0/frame_000001.png")
    assert faces.images[0].shape == (30, 40, 3) and faces.images[0][5, 5].tolist() == [200, 10, 10]
    done = convert.convert(path, tmp_path / "out", "coco")
    assert done.images == 2 and (tmp_path / "out/images/video0/frame_000000.png").is_file()


@pytest.mark.parametrize(
    ("version", "order", "red_first"),
    [(1.2, None, False), (1.3, None, False), (1.4, None, True), (1.4, "BGR", False),
     (2.4, "RGB", True), (1.2, "RGB", True)],
)  # fmt: skip
def test_the_colours_of_a_package_are_in_the_order_that_its_format_says(
    tmp_path, version, order, red_first
):
    backend = {"type": "HDF5Video", "filename": ".", "dataset": "video0/video"}
    path = write(tmp_path, FACE, (0,), backend, version)
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 10, 30)).save(buffer, "PNG")
    with h5py.File(path, "a") as file:
        # SLEAP pads the images of a package to one length.
        encoded = np.frombuffer(buffer.getvalue() + bytes(9), np.int8)
        file["video0/video"], file["video0/frame_numbers"] = encoded[None], [0]
        if order:
            file["video0/video"].attrs["channel_order"] = order
    expected = [200, 10, 30] if red_first else [30, 10, 200]
    assert sleap.read(path).images[0][5, 5].tolist() == expected


def test_frames_of_a_video_are_refused_with_the_way_to_get_them(tmp_path):
    path = write(tmp_path, FACE, backend={"type": "MediaVideo", "filename": "C:/a/clip.mp4"})
    with pytest.raises(DataError, match=r"frames of the video 'C:/a/clip.mp4'; export.*package"):
        sleap.read(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file: file.__delitem__("instances"), "it has no 'instances', so it is not a SLEAP"),
        (lambda file: file["metadata"].attrs.__delitem__("json"), "no attribute json"),
        (lambda file: file["metadata"].attrs.__setitem__("json", "{"), "metadata: not JSON"),
        (lambda file: file.__delitem__("points") or file.__setitem__("points", [1.0]), "no 'x'"),
    ],
)
def test_damaged_files_are_refused_with_what_they_lack(tmp_path, change, problem):
    path = write(tmp_path, FACE)
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(DataError, match=problem):
        sleap.read(path)


@pytest.mark.parametrize("as_json", [True, False])
def test_tables_of_the_browsers_writer_are_read_by_the_names_of_their_columns(tmp_path, as_json):
    """sleap-io.js stores each table as plain numbers, with its columns' names beside it."""
    path = write(tmp_path, FACE)
    expected = sleap.read(path)
    with h5py.File(path, "r+") as file:
        for name in ("points", "instances", "frames"):
            table = file[name][()]
            columns = list(table.dtype.names)
            plain = np.stack([table[column].astype(np.float64) for column in columns], axis=1)
            del file[name]
            file[name] = plain
            text = json.dumps(columns) if as_json else np.array(columns, dtype="S")
            file[name].attrs["field_names"] = text
    found = sleap.read(path)
    np.testing.assert_array_equal(found.points, expected.points)
    assert found.ids == expected.ids
    with h5py.File(path, "r+") as file:
        file["frames"][0, 0] = 0.5
    with pytest.raises(DataError, match="its frames have no numbers"):
        sleap.read(path)


def test_what_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "a.slp").write_bytes(b"labels")
    with pytest.raises(DataError, match=r"a.slp: .*save it in SLEAP again"):
        sleap.read(tmp_path / "a.slp")
