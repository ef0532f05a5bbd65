"""COCO files as labels and as predictions, of every tool: categories, results lists, numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.data.datasets import points_csv, toy
from nasion.data.datasets.coco import read as read_coco
from nasion.data.label_reading import LabelReading
from nasion.errors import DataError, SettingError
from nasion.evaluation.evaluate import evaluate
from nasion.evaluation.matching import read_predictions
from nasion.landmarks.catalog import fkd15


@pytest.fixture
def labelled(tmp_path):
    """A folder of images with a table, and the faces."""
    faces = replace(toy.draw(4, fkd15, seed=2), ids=tuple(f"{i}.png" for i in range(4)))
    for name, image in zip(faces.ids, faces.images, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    points_csv.write(faces, tmp_path / "truth.csv")
    return tmp_path, nasion.load_faces(None, tmp_path / "truth.csv")


def coco(faces, shift=0.0, third=2.0):
    """A COCO document of these faces."""
    annotations = []
    for i, points in enumerate(faces.points):
        rows = [[x + shift, y, third] for x, y in points.tolist()]
        keypoints = [value for row in rows for value in row]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "keypoints": keypoints})
    images = [{"id": i, "file_name": name} for i, name in enumerate(faces.ids)]
    category = {"id": 1, "name": "face", "keypoints": list(faces.scheme.points)}
    return {"images": images, "annotations": annotations, "categories": [category]}


def rmse(path, faces):
    return evaluate(read_predictions(path, faces), faces).overall.rmse


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d,
        lambda d: d | {"categories": [{"id": 0, "name": "faces"}, *d["categories"]]},
        lambda d: {key: d[key] for key in ("images", "annotations")},
        lambda d: d | {"categories": [{"id": 1, "keypoints": [f"p{k}" for k in range(1, 16)]}]},
    ],
)
def test_coco_is_read_by_names_else_by_order(labelled, change, tmp_path_factory):
    folder, faces = labelled
    path = tmp_path_factory.mktemp("other") / "p.json"
    path.write_text(json.dumps(change(coco(faces, shift=3.0))))
    assert rmse(path, faces) == pytest.approx(3 / np.sqrt(2), rel=1e-5)
    path = folder / "labels.json"
    path.write_text(json.dumps(change(coco(faces))))
    found = nasion.load_faces(None, path)
    assert found.ids == faces.ids and all(image.is_file() for image in found.images)
    np.testing.assert_allclose(found.to(fkd15).points, faces.points, rtol=1e-6)


def test_order_is_said_and_names_of_other_places_are_refused(labelled, caplog):
    folder, faces = labelled
    document = coco(faces)
    document["categories"][0]["keypoints"] = [str(k) for k in range(15)]
    (folder / "p.json").write_text(json.dumps(document))
    with caplog.at_level("INFO", "nasion"):
        assert rmse(folder / "p.json", faces) == pytest.approx(0, abs=1e-4)
    assert "p.json: its points are named 0, ...; they are matched by their order" in caplog.text
    document["categories"][0]["keypoints"] = ["chin", *(f"jaw_right_{k}" for k in range(14))]
    (folder / "p.json").write_text(json.dumps(document))
    with pytest.raises(SettingError, match="no name is in both"):
        rmse(folder / "p.json", faces)


def test_visibility_says_what_is_missing_and_occluded(labelled):
    folder, faces = labelled
    document = coco(faces)
    keypoints = document["annotations"][1]["keypoints"]
    keypoints[0:3], keypoints[5] = [0, 0, 0], 1
    document["annotations"][1]["bbox"] = [10, 20, 30.5, 40]
    (folder / "labels.json").write_text(json.dumps(document))
    found = nasion.load_faces("coco", folder / "labels.json")
    assert np.argwhere(~found.labelled).tolist() == [[1, 0]]
    assert np.argwhere(found.occluded).tolist() == [[1, 1]]
    assert found.boxes[1].tolist() == [10, 20, 40.5, 60]


def test_visibility_1_everywhere_means_labelled_and_not_occluded(labelled):
    """As in MMPose's files of AFLW and WFLW."""
    folder, faces = labelled
    document = coco(faces, third=1)
    (folder / "labels.json").write_text(json.dumps(document))
    found = nasion.load_faces("coco", folder / "labels.json")
    assert found.labelled.all() and found.occluded is None
    document["annotations"][2]["keypoints"][2] = 2
    (folder / "labels.json").write_text(json.dumps(document))
    found = nasion.load_faces("coco", folder / "labels.json")
    assert found.occluded.sum() == faces.points[..., 0].size - 1


def results(faces, third):
    return [
        {key: each[key] for key in ("image_id", "category_id", "keypoints")} | {"score": 0.9}
        for each in coco(faces, shift=3.0, third=third)["annotations"]
    ]


@pytest.mark.parametrize(("third", "is_score"), [(0.5, True), (0, False), (1, False), (2, False)])
def test_a_results_list_takes_its_names_from_the_file_beside_it(labelled, third, is_score):
    folder, faces = labelled
    (folder / "results.json").write_text(json.dumps(results(faces, third)))
    document = coco(faces)
    for image, name in zip(document["images"], reversed(faces.ids), strict=True):
        image["id"], image["file_name"] = 3 - image["id"], name
    (folder / "annotations.json").write_text(json.dumps(document))
    found = read_predictions(folder / "results.json", faces)
    assert evaluate(found, faces).overall.rmse == pytest.approx(3 / np.sqrt(2), rel=1e-5)
    assert (found.scores is not None) == is_score
    document["images"][0]["file_name"] = "else.png"
    (folder / "another.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="name its images differently"):
        read_predictions(folder / "results.json", faces)


def test_a_results_list_without_names_matches_by_id_or_not_at_all(labelled):
    folder, faces = labelled
    (folder / "results.json").write_text(json.dumps(results(faces, 1)))
    # Image 0 is 0.png.
    assert rmse(folder / "results.json", faces) == pytest.approx(3 / np.sqrt(2), rel=1e-5)
    other = replace(
        faces,
        ids=tuple(f"face{i}" for i in range(4)),
        images=tuple(folder / f"face{i}.png" for i in range(4)),
    )
    with pytest.raises(SettingError, match="No prediction is for any of these faces"):
        rmse(folder / "results.json", other)


@pytest.mark.parametrize("name", ["../7.png", "/7.png", "C:\\7.png"])
def test_an_image_outside_the_data_is_refused(labelled, name):
    folder, faces = labelled
    document = coco(faces)
    document["images"][2]["file_name"] = name
    (folder / "labels.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"labels.json .*annotation 2: the image .* is outside"):
        nasion.load_faces("coco", folder / "labels.json")
    assert (
        len(
            nasion.load_faces(
                "coco", folder / "labels.json", reading=LabelReading(skip_faults=True)
            )
        )
        == 3
    )


def test_names_with_and_without_their_folder_are_found(labelled):
    """As tools write that join files; a name that two folders have is not guessed."""
    folder, faces = labelled
    (folder / "images").mkdir()
    for i in range(4):
        (folder / f"{i}.png").rename(folder / "images" / f"{i}.png")
    (folder / "truth.csv").unlink()
    document = coco(faces)
    names = ["0.png", "images/1.png", "data/images/2.png", "elsewhere/3.png"]
    for image, name in zip(document["images"], names, strict=True):
        image["file_name"] = name
    (folder / "labels.json").write_text(json.dumps(document))
    found = read_coco(folder / "labels.json").images
    assert [image.is_file() for image in found] == [True, True, True, False]
    assert found[:3] == tuple(folder / "images" / f"{i}.png" for i in range(3))
    # A folder with images of the same names: which are meant is not known.
    other = folder / "more" / "images"
    other.mkdir(parents=True)
    (other / "1.png").write_bytes((folder / "images" / "1.png").read_bytes())
    (folder / "images" / "1.png").unlink()
    found = read_coco(folder / "labels.json").images
    assert found[1] == other / "1.png"
    third = folder / "third" / "images"
    third.mkdir(parents=True)
    (third / "1.png").write_bytes((other / "1.png").read_bytes())
    assert not read_coco(folder / "labels.json").images[1].is_file()


def test_a_faulty_annotation_is_left_out_on_demand(labelled):
    folder, faces = labelled
    document = coco(faces)
    document["annotations"][2]["bbox"] = [1, 2, 0, 4]
    (folder / "labels.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"annotations\[2\].bbox: a box of \[1.0, 2.0, 0.0, 4.0\]"):
        nasion.load_faces("coco", folder / "labels.json")
    assert (
        len(
            nasion.load_faces(
                "coco", folder / "labels.json", reading=LabelReading(skip_faults=True)
            )
        )
        == 3
    )


@pytest.mark.parametrize("number", ["0", "-1"])
def test_stand_ins_of_predictions_are_points_not_predicted(labelled, number, caplog):
    folder, faces = labelled
    lines = [line.split(",") for line in (folder / "truth.csv").read_text().splitlines()]
    lines[2][1:3] = lines[3][5:7] = [number, number]
    (folder / "p.csv").write_text("\n".join(map(",".join, lines)))
    with caplog.at_level("INFO", "nasion"):
        found = read_predictions(folder / "p.csv", faces)
    missing = np.isnan(found.points[..., 0])
    order = [found.ids.index(name) for name in faces.ids]
    assert np.argwhere(missing[order]).tolist() == [[1, 0], [2, 2]]
    assert f"p.csv: 2 points of 2 faces at {number} {number} are taken as missing" in caplog.text
    found = read_predictions(folder / "p.csv", faces, missing="none")
    assert np.isfinite(found.points).all()


def test_windows_paths_in_predictions_match(labelled):
    folder, faces = labelled
    text = (folder / "truth.csv").read_text()
    for name in faces.ids:
        text = text.replace(f"\n{name}", f"\nC:\\data\\{name}")
    (folder / "p.csv").write_text(text)
    assert rmse(folder / "p.csv", faces) == 0


def test_a_folder_of_several_files_asks_for_one_and_not_for_those_of_macos(labelled):
    folder, faces = labelled
    (folder / "labels.json").write_text(json.dumps(coco(faces)))
    (folder / "._labels.json").write_bytes(b"\x00\x05\x16\x07\xff")
    assert len(read_coco(folder)) == len(faces)
    (folder / "second.json").write_text(json.dumps(coco(faces)))
    # One of them at random would be another dataset on another computer.
    with pytest.raises(DataError, match=r"2 files in it end in .json \(labels.json, second.json\)"):
        read_coco(folder)
