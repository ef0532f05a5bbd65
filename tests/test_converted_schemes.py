"""A scheme comes through ``nasion data convert`` whole, whatever the format holds of it."""

import json
from dataclasses import replace

import numpy as np
import published_sets
import pytest
from PIL import Image
from typer.testing import CliRunner

from nasion.app.cli import app
from nasion.data import convert
from nasion.data.datasets import points_csv, toy, yolo_pose
from nasion.data.load import load_faces
from nasion.discovery import DATASETS
from nasion.landmarks.catalog import fkd15, ibug68, mat3d68
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import read_scheme, write_scheme

# The norm, the parts and the third pair are not what the names say.
OWN = Scheme(
    name="own5",
    points=("Auge rechts", "eyeL", "tip", "m 1", "m 2"),
    mirror=(("eyeL", "Auge rechts"), ("m 1", "m 2")),
    edges=(("tip", "m 1"),),
    norm=(("Auge rechts",), ("m 1", "m 2")),
    parts=(("all of it", ("eyeL", "tip")),),
    aliases=(("eyeL", "left_eye_center"), ("tip", "nose_tip")),
)
FORMATS = [
    name
    for name in convert.formats()
    if name not in published_sets.WRITERS and name not in ("fkd", "imm")
]


@pytest.fixture
def source(tmp_path):
    """A table of three faces with ``scheme.toml`` beside it."""
    return table_of(OWN, tmp_path / "source")


def table_of(scheme, folder):
    folder.mkdir()
    rng = np.random.default_rng(5)
    names = tuple(f"{i}.png" for i in range(3))
    for i, name in enumerate(names):
        Image.new("L", (90, 90), 40 * i).save(folder / name)
    points = rng.uniform(1, 88, (3, len(scheme), 2)).round(2).astype(np.float32)
    faces = Faces(scheme=scheme, ids=names, images=names_at(folder, names), points=points)
    points_csv.write(faces, folder / "labels.csv")
    write_scheme(folder / "scheme.toml", scheme)
    return folder / "labels.csv"


def names_at(folder, names):
    return tuple(folder / name for name in names)


@pytest.mark.parametrize("name", FORMATS)
def test_the_scheme_beside_the_source_comes_back_whole(name, source, tmp_path):
    done = convert.convert(source, tmp_path / "out", name)
    back = load_faces(None, done.data)
    assert back.scheme == OWN
    expected = load_faces(None, source)
    shift = 0.51 if name == "imglab" else 1e-3  # whole pixels
    np.testing.assert_allclose(back.points, expected.points, atol=shift)
    # And from there on.
    again = convert.convert(done.data, tmp_path / "again", "points_csv")
    assert load_faces(None, again.data).scheme == OWN


def test_no_file_is_written_where_the_labels_say_it_all(tmp_path):
    names = tuple(f"{i}.png" for i in range(2))
    faces = toy.draw(2, fkd15, size=96, seed=1)
    for name, image in zip(names, faces.images, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    points_csv.write(replace(faces, ids=names), tmp_path / "labels.csv")
    for name in ("coco", "nasion_json", "points_csv", "sleap", "yolo_pose"):
        if name == "sleap":
            pytest.importorskip("h5py")
        done = convert.convert(tmp_path / "labels.csv", tmp_path / name, name)
        assert done.scheme is None and not list((tmp_path / name).rglob("scheme.toml"))


def test_numbered_points_of_a_scheme_that_their_number_does_not_tell(tmp_path):
    """68 numbered points are read as iBUG's, unless the file beside them says otherwise."""
    data = table_of(mat3d68, tmp_path / "source")
    done = convert.convert(data, tmp_path / "out", "ibug68")
    assert done.scheme is not None and read_scheme(done.scheme) == mat3d68
    assert load_faces(None, done.data).scheme == mat3d68
    other = convert.convert(table_of(ibug68, tmp_path / "ibug"), tmp_path / "plain", "ibug68")
    assert other.scheme is None


def test_yolo_points_without_names_have_those_of_the_file_beside_them(source, tmp_path):
    done = convert.convert(source, tmp_path / "out", "yolo_pose")
    config = done.data
    lines = config.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("kpt_names"))
    config.write_text("\n".join(lines[:at]) + "\n")
    assert yolo_pose.read(config).scheme.points == ("0", "1", "2", "3", "4")
    write_scheme(config.parent / "scheme.toml", OWN)
    for data in (config, config.parent):
        assert load_faces(None, data).scheme == OWN


def test_the_command_says_where_the_scheme_is(source, tmp_path):
    words = ["data", "convert", str(source), str(tmp_path / "out"), "--to", "points_csv"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    assert "What points_csv does not hold of the scheme is beside it, in" in said
    assert "scheme.toml" in said


def test_points_that_the_file_leaves_out_are_not_written(source, tmp_path):
    less = Scheme(name="own5", points=("tip", "eyeL"), mirror=())
    write_scheme(source.parent / "scheme.toml", less)
    done = convert.convert(source, tmp_path / "out", "nasion_json")
    assert json.loads(done.data.read_text())["point_names"] == ["tip", "eyeL"]
    assert load_faces(None, done.data).scheme == less


def test_every_format_of_own_points_is_tried():
    assert len(FORMATS) >= 12 and set(FORMATS) < set(DATASETS.names())
