"""scheme.toml: written, read, refused with the place of a fault, and found beside data."""

import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import nasion
from nasion.app.cli import app
from nasion.data.datasets import imglab, points_csv, toy
from nasion.data.label_reading import LabelReading
from nasion.errors import SettingError
from nasion.landmarks.catalog import SCHEMES, ibug68
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import (
    from_document,
    read_scheme,
    scheme_at,
    to_plain,
    to_toml,
    write_scheme,
)
from nasion.media.json_document import Document

OWN = Scheme(
    name='my "own" schème',
    points=("Auge rechts", "Auge\\links", "tip"),
    mirror=(("Auge\\links", "Auge rechts"),),
    edges=(("Auge rechts", "tip"),),
    norm=(("Auge rechts",), ("Auge\\links", "tip")),
    parts=(("both eyes", ("Auge rechts", "Auge\\links")),),
    aliases=(("tip", "nose_tip"),),
)


@pytest.mark.parametrize("scheme", [OWN, replace(OWN, norm=None, parts=()), *SCHEMES.values()])
def test_a_written_scheme_is_read_back(tmp_path, scheme):
    path = tmp_path / "scheme.toml"
    write_scheme(path, scheme, {"mirror": ["look at this"]})
    assert read_scheme(path) == scheme
    assert "# look at this" in path.read_text(encoding="utf-8")
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 100
    assert from_document(Document(to_plain(scheme), "x.json")) == scheme


def test_the_written_text_is_plain_toml():
    value = tomllib.loads(to_toml(OWN))
    assert value["norm"] == [["Auge rechts"], ["Auge\\links", "tip"]]
    assert tomllib.loads(to_toml(replace(OWN, norm=None)))["norm"] == "box"


GOOD = {
    "name": '"own"',
    "points": '["a", "b", "c"]',
    "mirror": '[["a", "b"]]',
    "norm": '[["a"], ["b"]]',
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": None}, r"scheme.toml: it has no 'points' but name, mirror, norm"),
        ({"points": "[]"}, "scheme.toml points: no point; at least one expected"),
        ({"points": '["a", 3, "b", "c"]'}, r"scheme.toml points\[1\]: 3 found, text expected"),
        ({"points": '["a", "b", "a"]'}, "'a' is a point twice"),
        ({"mirror": '[["a", "x"]]'}, r"scheme.toml mirror\[0\]\[1\]: 'x' is none of the 3 points"),
        ({"mirror": '[["a"]]'}, r"mirror\[0\]: \['a'\] found, two different points expected"),
        ({"mirror": '[["a", "a"]]'}, r"mirror\[0\]: .* two different points expected"),
        ({"mirror": '[["a", "b"], ["b", "c"]]'}, "'b' is a mirror partner twice"),
        ({"norm": '"eyes"'}, "scheme.toml norm: 'eyes' found, 'box' or two groups"),
        ({"norm": '[["a"]]'}, "scheme.toml norm: 1 groups found, two of at least one point"),
        ({"norm": "3"}, "scheme.toml norm: 3 found"),
        ({"edge": '[["a", "b"]]'}, "the key 'edge' is none of name, points, mirror, edges"),
        ({"parts": '{eyes = ["d"]}'}, r"scheme.toml parts.eyes\[0\]: 'd' is none of the 3 points"),
        ({"parts": "3"}, "scheme.toml parts: 3 found, an object expected"),
        ({"aliases": '{d = "nose_tip"}'}, "has no point 'd'"),
        ({"aliases": "{a = 1}"}, "scheme.toml aliases.a: 1 found, text expected"),
        ({"aliases": '{a = "nose_tip", b = "nose_tip"}'}, "'nose_tip' is a place twice"),
        ({"name": '"x'}, "scheme.toml: not TOML"),
    ],
)
def test_a_fault_is_refused_with_its_place_and_a_remedy(tmp_path, change, message):
    lines = {key: value for key, value in (GOOD | change).items() if value is not None}
    path = tmp_path / "scheme.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in lines.items()))
    with pytest.raises(SettingError, match=message) as error:
        read_scheme(path)
    assert "correct it, or write a new one (nasion scheme init DATA)" in str(error.value)


def test_what_is_no_scheme_is_refused_with_what_there_is(tmp_path):
    assert scheme_at("ibug68") is ibug68
    for name, problem in (
        (str(tmp_path / "none.toml"), "no such file; nasion scheme init DATA writes one"),
        (str(tmp_path), "is a folder without scheme.toml"),
        ("ibug", "No scheme 'ibug'; there are fkd15"),
    ):
        with pytest.raises(SettingError, match=re.escape(problem)):
            scheme_at(name)
    other = tmp_path / "labels.csv"
    other.write_text("x")
    with pytest.raises(SettingError, match=r"a scheme is a \.toml file"):
        scheme_at(str(other))
    other.with_suffix(".toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(nasion.NasionError):
        scheme_at(str(other.with_suffix(".toml")))
    write_scheme(tmp_path / "scheme.toml", OWN)
    assert scheme_at(str(tmp_path)) == OWN


def small(count=4):
    """Faces of seven points in files, of names of their own."""
    names = ("eyeR", "eyeL", "tip", "mouthR", "mouthL", "lip", "chin")
    at = (36, 45, 30, 48, 54, 57, 8)
    faces = toy.draw(count, ibug68, seed=3)
    scheme = Scheme(name="seven", points=names, mirror=())
    ids = tuple(f"{i}.png" for i in range(count))
    return replace(faces, scheme=scheme, points=faces.points[:, at], ids=ids, occluded=None)


SEVEN = Scheme(
    name="seven",
    points=("eyeR", "eyeL", "tip", "mouthR", "mouthL", "lip", "chin"),
    mirror=(("eyeL", "eyeR"), ("mouthL", "mouthR")),
    norm=(("eyeR",), ("eyeL",)),
    aliases=(("eyeR", "right_eye_outer_corner"),),
)


def test_the_scheme_beside_the_data_says_what_named_points_are(tmp_path):
    points_csv.write(small(), tmp_path / "labels.csv")
    found = nasion.load_faces(None, tmp_path / "labels.csv")
    assert found.scheme.name == "labels" and found.scheme.norm is None
    write_scheme(tmp_path / "scheme.toml", SEVEN)
    for data in (tmp_path, tmp_path / "labels.csv"):
        found = nasion.load_faces(None, data)
        assert found.scheme == SEVEN
        np.testing.assert_allclose(found.points, small().points, atol=1e-4)
    # Another order, and fewer points, are what the file says.
    fewer = replace(SEVEN, points=SEVEN.points[::-1][2:], mirror=(), aliases=(), norm=None)
    write_scheme(tmp_path / "scheme.toml", fewer)
    found = nasion.load_faces(None, tmp_path)
    np.testing.assert_allclose(found.points, small().points[:, ::-1][:, 2:], atol=1e-4)


def test_the_scheme_beside_the_data_names_numbered_points(tmp_path):
    faces = small()
    for path in ("labels.xml", "labels.csv"):
        folder = tmp_path / path[-3:]
        folder.mkdir()
        if path.endswith("xml"):
            boxes = np.full((4, 4), (0, 0, 50, 50), np.float32)
            imglab.write(replace(faces, boxes=boxes), folder / path)
        else:
            numbered = replace(SEVEN, points=tuple("0123456"), mirror=(), norm=None, aliases=())
            points_csv.write(replace(faces, scheme=numbered), folder / path)
        assert nasion.load_faces(None, folder / path).scheme.points == tuple("0123456")
        write_scheme(folder / "scheme.toml", SEVEN)
        found = nasion.load_faces(None, folder / path)
        assert found.scheme == SEVEN
        np.testing.assert_allclose(found.points, faces.points, atol=0.51)
        # The option decides against the file, and the file against what a network assumes.
        eight = tuple(f"q{i}" for i in range(7))
        other = Scheme(name="q", points=eight, mirror=())
        by_option = nasion.load_faces(None, folder / path, reading=LabelReading(scheme=other))
        assert by_option.scheme.points == eight
        assumed = nasion.load_faces(None, folder / path, reading=LabelReading(assumed=other))
        assert assumed.scheme == SEVEN


def test_points_that_the_data_lack_are_refused(tmp_path):
    points_csv.write(small(), tmp_path / "labels.csv")
    wrong = replace(SEVEN, points=(*SEVEN.points[:-1], "ear"))
    write_scheme(tmp_path / "scheme.toml", wrong)
    with pytest.raises(nasion.NasionError, match="ear"):
        nasion.load_faces(None, tmp_path)


def test_a_command_takes_a_scheme_file(tmp_path):
    faces = small()
    for name in faces.ids:
        toy_image = np.zeros((96, 96, 3), np.uint8)
        from PIL import Image

        Image.fromarray(toy_image).save(tmp_path / name)
    numbered = replace(SEVEN, points=tuple("0123456"), mirror=(), norm=None, aliases=())
    points_csv.write(replace(faces, scheme=numbered), tmp_path / "labels.csv")
    write_scheme(tmp_path / "own.toml", SEVEN)
    command = ["data", "show", str(tmp_path / "labels.csv"), "-o", str(tmp_path / "sheet.png")]
    done = CliRunner().invoke(app, [*command, "--scheme", str(tmp_path / "own.toml")])
    assert done.exit_code == 0, done.output
    assert "4 faces of scheme seven" in done.output
    missing = CliRunner().invoke(app, [*command, "--scheme", str(tmp_path / "none.toml")])
    assert missing.exit_code == 1 and "no such file" in str(missing.exception)
