"""Every format holds what was found, and is read back to the labelled faces it is of."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion import prediction_formats
from nasion.data import convert
from nasion.data.datasets import _pts_text as reader
from nasion.discovery import FORMATS
from nasion.errors import DataError, SettingError
from nasion.evaluation import matching
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import Face
from nasion.landmarks.faces import Faces
from nasion.landmarks.measures import measure
from nasion.prediction_formats import DrawStyle, ImageResult
from nasion.prediction_formats import image as image_format
from nasion.prediction_formats import json as json_format

TEXTS = prediction_formats.text_formats()


def face(seed, left=0.0):
    points = np.random.default_rng(seed).uniform(10, 90, (68, 2)).astype(np.float32) + np.float32(
        [left, 0]
    )
    scores = np.linspace(0, 1, 68, dtype=np.float32)
    return Face(
        ibug68,
        points,
        np.array([*points.min(0), *points.max(0)], dtype=np.float32),
        0.9,
        scores,
        3 * scores,
    )


@pytest.fixture
def found():
    grey = np.full((120, 260, 3), 128, np.uint8)
    return [
        ImageResult("a/one.jpg", "one", (260, 120), (face(1), face(2, 150)), grey),
        ImageResult("b/none.jpg", "none", (260, 120), (), grey),
        ImageResult("b/two.png", "two", (260, 120), (face(3),), grey),
    ]


@pytest.fixture
def labelled(found):
    """The faces of these images, in another order and moved by a pixel."""
    order = [(0, 1), (2, 0), (0, 0)]
    points = np.stack([found[i].faces[j].points for i, j in order]) + np.float32([0.6, -0.8])
    images = tuple(Path(found[i].name) for i, _ in order)
    return Faces(scheme=ibug68, ids=("right", "alone", "left"), images=images, points=points)


@pytest.mark.parametrize("kind", [*TEXTS, "pts"])
def test_each_format_is_read_back_to_the_nearest_labelled_face(kind, found, labelled, tmp_path):
    (written,) = prediction_formats.write(found, [kind], tmp_path / "out")
    back = matching.read_predictions(written, labelled)
    result = nasion.evaluate(back, labelled)
    assert result.overall.faces == 3 and not result.left_out
    np.testing.assert_allclose(
        np.linalg.norm(result.predictions.points - labelled.points, axis=2), 1, atol=2e-3
    )
    if kind not in ("pts", "csv"):
        assert result.predictions.scores is not None
        np.testing.assert_allclose(
            result.predictions.scores[0], found[0].faces[1].scores, atol=1e-4
        )


@pytest.mark.parametrize("kind", TEXTS)
def test_no_faces_still_make_a_valid_file(kind, found, tmp_path):
    (written,) = prediction_formats.write(found[1:2], [kind], tmp_path)
    text = written.read_text()
    if written.suffix == ".json":
        json.loads(text)


def test_json_text_and_value_say_the_same_and_a_field_has_a_line(found):
    text = prediction_formats.to_text("json", found)
    assert json.loads(text) == json_format.to_value(found)
    lines = [line.strip() for line in text.splitlines()]
    assert sum(line.startswith('"points": [[') and line.endswith("]],") for line in lines) == 3
    frames = [
        replace(result, seconds=0.04 * i, measured=measure(result.faces))
        for i, result in enumerate(found)
    ]
    value = json_format.to_value(frames)
    assert json.loads(prediction_formats.to_text("json", frames)) == value and "blinks" in value


def test_points_files_count_pixels_from_one_and_number_the_faces_of_an_image(found, tmp_path):
    prediction_formats.write(found, ["pts"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"one.pts", "one#2.pts", "two.pts"}
    first = (tmp_path / "one.pts").read_text().splitlines()
    x, y = map(float, first[3].split())
    np.testing.assert_allclose([x - 1, y - 1], found[0].faces[0].points[0], atol=1e-3)
    np.testing.assert_allclose(
        reader.parse((tmp_path / "one.pts").read_text(), "one"), found[0].faces[0].points, atol=1e-3
    )


def test_coco_has_the_fields_that_pycocotools_reads(found, tmp_path):
    (written,) = prediction_formats.write(found, ["coco"], tmp_path)
    whole = json.loads(written.read_text())
    assert [image["file_name"] for image in whole["images"]] == [
        "a/one.jpg",
        "b/none.jpg",
        "b/two.png",
    ]
    first = whole["annotations"][1]
    x, y, width, height = first["bbox"]
    np.testing.assert_allclose([x, y, x + width, y + height], found[0].faces[1].box, atol=2e-3)
    assert (
        len(first["keypoints"]) == 3 * 68
        and set(first["keypoints"][2::3]) == {2}
        and first["image_id"] == 1
    )
    skeleton = whole["categories"][0]["skeleton"]
    assert min(min(edge) for edge in skeleton) == 1 and max(max(edge) for edge in skeleton) <= 68


def test_images_of_one_name_are_numbered():
    assert prediction_formats.stems(
        ["a/me.jpg", "b/me.png", "me-2.jpg", "c/me.jpg", "http://x.y/me.jpg"]
    ) == ["me", "me-2", "me-2-2", "me-3", "me-4"]


def test_drawn_points_are_in_place_and_coloured_by_score(found, tmp_path):
    drawn = image_format.draw(found[2])
    factor = drawn.shape[0] // 120
    assert drawn.shape == (120 * factor, 260 * factor, 3) and factor == 3
    for k in (0, 67):
        x, y = ((found[2].faces[0].points[k] + 0.5) * factor).astype(int)
        near = drawn[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).astype(int)
        assert np.abs(near - image_format.score_colour(k / 67)).sum(1).min() < 60
    prediction_formats.write(found, ["image"], tmp_path, DrawStyle(labels="numbers"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "one-points.jpg",
        "none-points.jpg",
        "two-points.jpg",
    }
    assert Image.open(tmp_path / "one-points.jpg").size[0] >= 700
    large = ImageResult("l", "l", (5000, 100), (), np.zeros((100, 5000, 3), np.uint8))
    assert image_format.draw(large, DrawStyle(labels="names")).shape == (100, 5000, 3)


def test_a_malformed_predictions_file_is_refused_with_its_place(found, labelled, tmp_path):
    path = tmp_path / "p.jsonl"
    prediction_formats.write(found, ["jsonl"], tmp_path)
    path.write_text((tmp_path / "predictions.jsonl").read_text() + "{broken\n")
    with pytest.raises(DataError, match=r"p.jsonl line 4: not JSON"):
        matching.read_predictions(path, labelled)
    path.write_text('{"scheme": "ibug68", "image": "one.jpg", "faces": [{"points": [[1, 2]]}]}\n')
    with pytest.raises(
        DataError, match=r"p.jsonl line 1 faces\[0\].points: points of 1 x 2; 68 x 2"
    ):
        matching.read_predictions(path, labelled)
    (tmp_path / "q.json").write_text(
        '{"annotations": [{"keypoints": [1, 2, 2]}], '
        '"images": [{"id": 4, "file_name": "one.jpg"}], "categories": []}'
    )
    with pytest.raises(
        DataError, match=r"q.json annotations\[0\]: image_id None is not among the images"
    ):
        matching.read_predictions(tmp_path / "q.json", labelled)
    (tmp_path / "q.json").write_text("{}")
    with pytest.raises(DataError, match="it has no 'point_names'"):
        matching.read_predictions(tmp_path / "q.json", labelled)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"no \.pts files in this folder"):
        matching.read_predictions(tmp_path / "none", labelled)
    with pytest.raises(
        SettingError, match=r"predictions are of 'a/one.jpg', faces of 'elsewhere.jpg'"
    ):
        matching.read_predictions(
            tmp_path / "predictions.jsonl", replace(labelled[:1], images=(Path("elsewhere.jpg"),))
        )
    with pytest.raises(SettingError, match="No format 'xml'; there are coco, csv"):
        FORMATS.load("xml")


def test_an_extra_face_is_reported_and_a_missing_one_fails(found, labelled, tmp_path):
    (written,) = prediction_formats.write(found, ["json"], tmp_path)
    result = nasion.evaluate(matching.read_predictions(written, labelled[:2]), labelled[:2])
    assert result.left_out == {"predictions of no face here": ["a/one.jpg face 1"]}
    (written,) = prediction_formats.write(
        [replace(found[0], faces=found[0].faces[:1]), *found[1:]], ["json"], tmp_path
    )
    result = nasion.evaluate(matching.read_predictions(written, labelled), labelled)
    assert result.left_out == {
        "faces without a prediction, counted as failures": ["right"]
    } and result.overall.fr == pytest.approx(1 / 3)


def test_a_table_without_numbered_faces_is_read_as_it_was(toy_faces, tmp_path):
    from nasion.data.datasets import points_csv

    points_csv.write(toy_faces[:4], tmp_path / "t.csv")
    assert (
        nasion.evaluate(
            matching.read_predictions(tmp_path / "t.csv", toy_faces[:4]), toy_faces[:4]
        ).overall.rmse
        == 0
    )


@pytest.mark.parametrize("kind", [*TEXTS, "pts"])
def test_names_with_dots_are_read_back(kind, found, tmp_path):
    """What follows a dot is no suffix unless it is one of images."""
    names = ("ann.smith.jpg", "ann.jones.jpg", "v1.2.PNG")
    results = [
        replace(found[2], name=name, stem=name[:-4], faces=(face(seed),))
        for seed, name in enumerate(names)
    ]
    points = np.stack([result.faces[0].points for result in results])
    images = tuple(map(Path, names))
    labelled = Faces(scheme=ibug68, ids=("a", "b", "c"), images=images, points=points)
    (written,) = prediction_formats.write(results, [kind], tmp_path / "out")
    back = matching.read_predictions(written, labelled)
    result = nasion.evaluate(back, labelled)
    assert result.overall.faces == 3 and not result.left_out and result.overall.nme < 1e-3


@pytest.mark.parametrize("kind", TEXTS)
def test_without_faces_a_text_still_tells_the_network_s_points(kind, found):
    text = prediction_formats.to_text(kind, found[1:2], ibug68)
    assert text != prediction_formats.to_text(kind, found[1:2])
    expected = {
        "json": lambda: json.loads(text)["point_names"] == list(ibug68.points),
        "jsonl": lambda: json.loads(text)["scheme"] == "ibug68",
        "coco": lambda: json.loads(text)["categories"][0]["keypoints"] == list(ibug68.points),
        "csv": lambda: f"{ibug68.points[0]}_x" in text.splitlines()[0],
    }
    assert expected[kind]()


# Predictions as labels, from the folder in which predict ran


@pytest.fixture
def photograph(tmp_path, monkeypatch):
    """A picture in a folder below the working folder, by its name from there."""
    (tmp_path / "work" / "photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    path = Path("photos") / "one.png"
    Image.new("RGB", (120, 100)).save(path)
    return path


@pytest.mark.parametrize("kind", ["json", "jsonl", "coco"])
@pytest.mark.parametrize("whole_path", [False, True])
def test_predictions_are_labels_where_they_were_made(kind, whole_path, photograph, tmp_path):
    name = str(photograph.absolute() if whole_path else photograph)
    results = [ImageResult(name, "one", (120, 100), (face(1),))]
    (written,) = prediction_formats.write(results, [kind], Path("predictions"))
    faces = nasion.load_faces(None, written)
    (image,) = faces.images
    assert isinstance(image, Path) and image.samefile(photograph)
    done = convert.convert(written, Path("converted"), "points_csv")
    assert (done.faces, done.images) == (1, 1)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_conversion_without_any_image_tells_the_first_fault(kind, photograph, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    outside = tmp_path / "elsewhere" / "one.png"
    photograph.rename(outside)
    for name in (str(outside), "../elsewhere/one.png"):
        results = [ImageResult(name, "one", (120, 100), (face(1), face(2)))]
        (written,) = prediction_formats.write(results, [kind], Path("predictions"))
        with pytest.raises(DataError, match=r"none of its 2 .* first fault: .* is outside"):
            convert.convert(written, Path("converted"), "points_csv")
