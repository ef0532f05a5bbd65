"""Head pose, eyes and mouth in every output format, and what reads these files."""

import csv
import json
import math
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

import nasion
from nasion import prediction_formats
from nasion.app.predict_pipeline import frame_result
from nasion.data.datasets import toy
from nasion.inference.tracking import Tracker
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.eyes_and_mouth import FaceMeasures
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.head_pose import rotation_of
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.measures import measure
from nasion.media.video_reading import Frame
from nasion.prediction_formats import to_text
from nasion.prediction_formats._measures import COLUMNS
from nasion.prediction_formats.json import face_value

TEXTS = prediction_formats.text_formats()
ANGLES = {"yaw": 20.0, "pitch": -10.0, "roll": 5.0}


def turned(yaw, pitch, roll, scheme=ibug68, hidden=()):
    """A mean face of 200 pixels with this pose."""
    places = mean_face(scheme) @ rotation_of(yaw, pitch, roll).T
    points = (100 * places[:, :2] + 150).astype(np.float32)
    visible = np.ones(len(scheme), np.float32)
    visible[list(hidden)] = 0
    box = np.array([*points.min(0), *points.max(0)])
    return Face(scheme, points, box, 0.9, np.ones(len(scheme), np.float32), visible=visible)


def result_of(*faces, name="a.jpg", seconds=None):
    return ImageResult(name, "a", (300, 300), faces, seconds=seconds, measured=measure(faces))


def test_faces_measured_together_are_as_each_alone():
    faces = [turned(20, -10, 5), turned(-60, 0, 0), turned(0, 30, -40)]
    for face, (pose, measures) in zip(
        faces, ((each.pose, each.measures) for each in measure(faces)), strict=True
    ):
        own = face.pose()
        np.testing.assert_allclose(pose.rotation, own.rotation, atol=1e-6)
        np.testing.assert_allclose(pose.standard_error, own.standard_error, atol=1e-4)
        for field in fields(FaceMeasures):
            wanted = getattr(face.measures(), field.name)
            assert getattr(measures, field.name) == pytest.approx(wanted, abs=1e-6)
    assert measure([]) == ()


def test_eyes_are_measured_on_points_before_smoothing_and_poses_after():
    level, closed = turned(0, 0, 0), turned(0, 0, 0)
    points = closed.points.copy()
    for side in ("left", "right"):
        for place in ("outer_third", "inner_third"):
            upper, lower = ibug68.index([f"{side}_eye_{lid}_{place}" for lid in ("upper", "lower")])
            points[upper] = points[lower]
    smoothed = turned(20, 0, 0)
    (found,) = measure([smoothed], [replace(level, points=points)])
    assert found.pose.yaw == pytest.approx(20, abs=0.5)
    assert found.measures.eyes < 0.02 < 0.2 < level.measures().eyes


def test_faces_of_a_frame_are_measured_with_its_pixel_aspect():
    face = turned(20, 0, 0)

    class Found(Tracker):
        def __init__(self):
            self.dropped = ()

        def __call__(self, pixels, seconds):
            return self.unsmoothed

        @property
        def unsmoothed(self):
            return [replace(face, points=face.points / np.float32([2, 1]))]

    frame = Frame(np.zeros((300, 150, 3), np.uint8), 0.0, 0, pixel_aspect=Fraction(2))
    (measured,) = frame_result("clip", "clip", frame, Found(), measures=True).measured
    assert measured.pose.yaw == pytest.approx(20, abs=0.01)


def test_json_and_json_lines_tell_angles_and_measures():
    result = result_of(turned(**ANGLES))
    (of_json,) = json.loads(to_text("json", [result]))["images"][0]["faces"]
    (of_lines,) = json.loads(to_text("jsonl", [result]))["faces"]
    assert of_json == of_lines == face_value(result.faces[0], measures=True)
    assert list(of_json["pose"]) == [*ANGLES, *(f"{angle}_standard_error" for angle in ANGLES)]
    for angle, degrees in ANGLES.items():
        assert of_json["pose"][angle] == pytest.approx(degrees, abs=0.05)
    wanted = result.faces[0].measures()
    assert of_json["measures"] == {
        field.name: pytest.approx(getattr(wanted, field.name), abs=6e-5)
        for field in fields(FaceMeasures)
    }


def test_tables_and_coco_hold_the_same_values_under_the_same_names():
    result = result_of(turned(**ANGLES), turned(0, 0, 0))
    coco = json.loads(to_text("coco", [result]))["annotations"]
    for row, annotation in zip(
        csv.DictReader(to_text("csv", [result]).splitlines()), coco, strict=True
    ):
        assert list(annotation["attributes"]) == list(row)[-len(COLUMNS) :] == list(COLUMNS)
        assert {name: float(row[name]) for name in COLUMNS} == annotation["attributes"]
    assert coco[0]["attributes"]["pose_yaw"] == pytest.approx(20, abs=0.05)


def test_what_is_not_known_is_null_or_an_empty_cell():
    mouth = [i for i, name in enumerate(ibug68.points) if "inner_lip" in name]
    nothing = turned(0, 0, 0, hidden=range(68))
    result = result_of(turned(0, 0, 0, hidden=mouth), nothing)
    half, empty = json.loads(to_text("json", [result]))["images"][0]["faces"]
    assert half["measures"]["mouth"] is None and half["measures"]["left_eye"] > 0.1
    assert set(empty["pose"].values()) == set(empty["measures"].values()) == {None}
    first, second = csv.DictReader(to_text("csv", [result]).splitlines())
    assert first["measures_mouth"] == "" and {second[name] for name in COLUMNS} == {""}


def test_a_scheme_without_inner_lips_has_no_mouth():
    result = result_of(turned(0, 0, 0, fkd15))
    (face,) = json.loads(to_text("json", [result]))["images"][0]["faces"]
    assert face["measures"]["mouth"] is None and face["pose"]["yaw"] is not None


@pytest.mark.parametrize("kind", TEXTS)
def test_files_with_measures_are_read_as_those_without(kind, tmp_path):
    result = result_of(turned(**ANGLES), turned(-30, 0, 0), name="b/a.jpg")
    read = []
    for name, each in (("with", result), ("without", replace(result, measured=None))):
        (path,) = prediction_formats.write([each], [kind], tmp_path / name)
        scheme, faces = prediction_formats.read(path, ibug68)
        assert scheme == ibug68
        read.append([(face.image, face.points.tolist()) for face in faces])
    assert read[0] == read[1] and len(read[0]) == 2
    texts = [(tmp_path / name / path.name).read_text() for name in ("with", "without")]
    assert ("yaw" in texts[0]) and ("yaw" not in texts[1])


@pytest.mark.parametrize(
    ("kind", "name"), [("coco", "coco"), ("jsonl", "nasion_json"), ("csv", "points_csv")]
)
def test_labels_may_have_measures(kind, name, tmp_path):
    folder = tmp_path / "labels"
    (written,) = prediction_formats.write([result_of(turned(**ANGLES))], [kind], folder)
    Image.new("RGB", (300, 300)).save(folder / "a.jpg")
    faces = nasion.load_faces(name, written)
    np.testing.assert_allclose(faces.points[0], turned(**ANGLES).points, atol=1e-3)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "face.png"
    Image.fromarray(toy.draw(1, ibug68, size=200, colour=True).images[0]).save(path)
    return path


def test_the_command_measures_if_it_is_told_to(photo, monkeypatch, capsys, tmp_path):
    words = ("predict", photo, "--run", "face68_light", "-f", "json", "-f", "csv")
    assert run_command(monkeypatch, capsys, *words, "--out", tmp_path / "plain")[0] == 0
    assert run_command(monkeypatch, capsys, *words, "--measures", "--out", tmp_path / "own")[0] == 0
    plain, own = (
        json.loads((tmp_path / name / "predictions.json").read_text())["images"][0]["faces"][0]
        for name in ("plain", "own")
    )
    assert {**plain, "pose": own["pose"], "measures": own["measures"]} == own
    face = nasion.Landmarker(nasion.load_model("face68_light"))(photo)[0]
    assert own["pose"]["yaw"] == pytest.approx(face.pose().yaw, abs=0.01)
    header = (tmp_path / "own" / "predictions.csv").read_text().splitlines()[0]
    assert header.endswith(",".join(COLUMNS))


def test_points_files_hold_no_measures(photo, monkeypatch, capsys, tmp_path):
    code, said = run_command(
        monkeypatch, capsys, "predict", photo, "-f", "pts", "--measures", "--out", tmp_path / "out"
    )
    assert code == 1 and "--measures has no effect in .pts files" in said


def test_parquet_has_a_column_for_each_value(photo, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    from nasion.app import bulk
    from nasion.app.bulk_inputs import make_parts

    Image.new("RGB", (40, 30)).save(tmp_path / "empty.png")
    parts = make_parts([str(photo), str(tmp_path / "empty.png")])
    settings = bulk.BulkSettings("face68_light", measures=True)
    list(bulk.run(parts, settings, tmp_path / "out", "plain"))
    (file,) = (tmp_path / "out").glob("part-*")
    face, empty = parquet.read_table(file).to_pylist()
    wanted = nasion.Landmarker(nasion.load_model("face68_light"))(photo)[0]
    assert face["pose_yaw"] == pytest.approx(wanted.pose().yaw, abs=0.01)
    assert face["measures_mouth"] == pytest.approx(wanted.measures().mouth, abs=1e-4)
    assert not math.isnan(face["pose_roll_standard_error"]) and empty["pose_yaw"] is None
    plain = bulk.BulkSettings("face68_light")
    assert bulk.part_file(parts[0], tmp_path, plain) != bulk.part_file(parts[0], tmp_path, settings)
