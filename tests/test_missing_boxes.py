"""Faces without boxes are cropped around their points, alike in every command."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.data.datasets import ibug68 as ibug68_reader
from nasion.data.datasets import points_csv, toy, udacity68
from nasion.data.datasets._labelled_face import LabelledFace, as_faces
from nasion.data.label_reading import LabelReading
from nasion.data.missing_boxes import estimate_boxes, with_boxes, with_tight_boxes
from nasion.errors import DataError, SettingError
from nasion.landmarks import geometry
from nasion.landmarks.boxes import iou
from nasion.landmarks.catalog import fkd15, ibug68, imm58
from nasion.landmarks.face_extent import boxes_of_points, margins
from nasion.landmarks.scheme import Scheme


def photographs(count, scheme, seed=0):
    """Toy faces of 96 pixels somewhere in grey images of 200 x 260, without boxes."""
    faces = toy.draw(count, scheme, size=96, seed=seed)
    rng = np.random.default_rng(seed)
    images, points = [], faces.points.copy()
    for i, image in enumerate(faces.images):
        canvas = np.full((200, 260), 90, np.uint8)
        x, y = rng.integers(0, 164), rng.integers(0, 104)
        canvas[y : y + 96, x : x + 96] = image
        images.append(canvas)
        points[i] += (x, y)
    return replace(faces, images=np.stack(images), points=points, boxes=None)


def saved(faces, folder):
    """A table of the faces with their images beside it."""
    from PIL import Image

    folder.mkdir()
    ids = tuple(f"{i}.png" for i in range(len(faces)))
    for name, image in zip(ids, faces.images, strict=True):
        Image.fromarray(image).save(folder / name)
    points_csv.write(replace(faces, ids=ids), folder / "labels.csv")
    return folder / "labels.csv"


def test_the_box_of_68_points_is_tight_around_them():
    faces = toy.draw(6, ibug68, seed=1)
    np.testing.assert_array_equal(
        estimate_boxes(faces.points, ibug68), geometry.points_box(faces.points.astype(float))
    )
    assert np.concatenate(margins(ibug68)).max() == 0


@pytest.mark.parametrize("scheme", [fkd15, imm58])
def test_a_detectors_box_becomes_the_one_of_the_models_points(scheme):
    """The same drawn faces in two schemes: without a jaw, the box is smaller."""
    whole = geometry.points_box(toy.draw(20, ibug68, seed=2).points.astype(float))
    inner = geometry.points_box(toy.draw(20, scheme, seed=2).points.astype(float))
    found = boxes_of_points(whole, scheme)
    overlap = [float(iou(a, b[None])[0]) for a, b in zip(inner, found, strict=True)]
    assert np.median(overlap) > 0.75, overlap
    np.testing.assert_array_equal(boxes_of_points(whole, ibug68), whole)


def test_a_half_labelled_face_gets_the_box_of_the_complete_one():
    faces = toy.draw(30, fkd15, seed=3)
    some = faces.points.copy()
    # What Kaggle's second annotator labelled: eyes, nose tip and one point of the mouth.
    kept = fkd15.index(["left_eye_center", "right_eye_center", "nose_tip"])
    hidden = np.setdiff1d(np.arange(15), kept)
    some[:, hidden] = np.nan
    whole, half = (estimate_boxes(points, fkd15) for points in (faces.points, some))
    overlap = [float(iou(a, b[None])[0]) for a, b in zip(whole, half, strict=True)]
    assert np.median(overlap) > 0.75, overlap


def test_points_of_unknown_names_are_completed_by_the_other_faces():
    names = tuple(f"mark_{i}" for i in range(15))
    own = Scheme(name="own", points=names, mirror=())
    points = toy.draw(30, fkd15, seed=4).points
    some = points.copy()
    some[:15, 8:] = np.nan
    whole, half = estimate_boxes(points, own)[:15], estimate_boxes(some, own)[:15]
    tight = geometry.points_box(some[:15].astype(float))
    better = [
        iou(a, b[None])[0] > iou(a, c[None])[0] for a, b, c in zip(whole, half, tight, strict=True)
    ]
    assert np.mean(better) > 0.8


def test_too_few_points_leave_the_box_unknown_and_the_log_says_so(caplog):
    faces = photographs(4, fkd15)
    points = faces.points.copy()
    points[0, 1:] = np.nan
    with caplog.at_level(logging.INFO, "nasion"):
        boxed = with_boxes(replace(faces, points=points), "labels.csv")
    assert np.isnan(boxed.boxes[0]).all() and not np.isnan(boxed.boxes[1:]).any()
    assert caplog.messages == [
        "labels.csv: 4 of 4 faces have no box: 3 are cropped around the labelled points; 1 with "
        "a single label gets none."
    ]


def test_faces_without_a_box_are_counted_once_and_all(caplog, tmp_path):
    """Also those without a label, which cannot be cropped around it."""
    faces = photographs(8, fkd15)
    points = faces.points.copy()
    points[0, 1:] = points[1, 1:] = points[2] = np.nan
    points[3] = points[3, 0]
    lacking = replace(faces, points=points)
    with caplog.at_level(logging.INFO, "nasion"):
        with_tight_boxes(with_boxes(lacking, "labels.csv"), "labels.csv")
    assert caplog.messages == [
        "labels.csv: 8 of 8 faces have no box: 4 are cropped around the labelled points; 2 with "
        "a single label, 1 with labels at one place, 1 without a label get none."
    ]
    caplog.clear()
    with caplog.at_level(logging.INFO, "nasion"):
        with_boxes(lacking[:3], "labels.csv")
    assert caplog.messages == [
        "labels.csv: 3 of 3 faces have no box: 2 with a single label, 1 without a label get none."
    ]


@pytest.mark.parametrize("row", ["5 7", "5 7\n25 7"])
def test_label_files_of_points_without_area_leave_the_box_unknown(tmp_path, row):
    """As any face without a box: points in a row get the one of the scheme's mean face."""
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    (tmp_path / "a.pts").write_text(row)
    assert ibug68_reader.read(tmp_path).boxes is None
    # Two points in a row are the eyes of a face; a single one is the whole image.
    header = "face," + ",".join(map(str, range(136)))
    eyes = [""] * 136
    for k in (36, 45)[: len(row.split("\n"))]:
        eyes[2 * k : 2 * k + 2] = [str(k), "60"]
    (tmp_path / "training_frames_keypoints.csv").write_text(f"{header}\na.png,{','.join(eyes)}\n")
    faces = udacity68.read(tmp_path / "training_frames_keypoints.csv")
    assert faces.boxes is None
    completed = with_boxes(faces).boxes
    assert (completed is not None) == ("\n" in row)
    if completed is not None:
        width, height = (completed[0, 2:] - completed[0, :2]).tolist()
        assert width > 9 and height > 9


@pytest.mark.parametrize("points", [[[3, 4]] * 68, [[k, 4] for k in range(68)]])
def test_published_sets_leave_such_boxes_unknown_as_well(points):
    faces = [LabelledFace("a", Path("a.png"), np.array(points, float), box=box)
             for box in (None, (0, 0, 9, 9))]  # fmt: skip
    assert as_faces(faces[:1], ibug68, tight_boxes=True).boxes is None
    found = as_faces(faces, ibug68, tight_boxes=True).boxes
    assert np.isnan(found[0]).all() and found[1].tolist() == [0, 0, 9, 9]


def test_a_table_without_boxes_scores_as_the_same_table_with_tight_ones(tmp_path):
    faces = photographs(12, ibug68)
    tight = geometry.points_box(faces.points.astype(float)).astype(np.float32)
    path = saved(faces, tmp_path / "plain")
    loaded = nasion.load_faces(None, path)
    np.testing.assert_allclose(loaded.boxes, tight, atol=1e-3)
    own = nasion.evaluate("face68_light", replace(faces, boxes=tight))
    estimated = nasion.evaluate("face68_light", replace(loaded, images=faces.images))
    assert estimated.overall.nme == pytest.approx(own.overall.nme, rel=1e-4)


@pytest.mark.slow
def test_training_evaluation_and_validation_crop_alike(tmp_path):
    path = saved(photographs(40, fkd15), tmp_path / "photos")
    changes = ["epochs=2", "batch_size=8", "architecture.widths=8,16", "spec.tta=none"]
    done = nasion.train("toy_demo", path, run_folder=tmp_path / "run", changes=changes)
    model = nasion.load_model(done.folder)
    faces = nasion.load_faces(None, path, "val", reading=LabelReading(scheme=model.spec.scheme))
    found = nasion.evaluate(model, faces).overall.rmse
    assert found == pytest.approx(done.state.best, rel=1e-4)


def test_crops_of_one_face_can_stay_whole(tmp_path):
    path = saved(photographs(6, fkd15), tmp_path / "crops")
    assert nasion.load_faces(None, path, whole_images=True).boxes is None
    assert nasion.load_faces(None, path).boxes is not None
    assert nasion.load_faces(None, "toy:6").boxes is None


def test_numbered_points_mean_those_of_the_model(tmp_path):
    names = tuple(f"p{i}" for i in range(68))
    own = Scheme(name="own", points=names, mirror=())
    faces = photographs(3, ibug68)
    path = saved(replace(faces, scheme=own), tmp_path / "own")
    assert nasion.load_faces(None, path, reading=LabelReading(scheme=own)).scheme == own
    assert nasion.load_faces(None, path).scheme == ibug68


def test_five_numbered_points_are_not_the_first_five_of_68(tmp_path):
    five = Scheme(name="five", points=tuple(f"p{i}" for i in range(5)), mirror=())
    faces = toy.draw(3, ibug68)
    labelled = replace(faces, scheme=five, points=faces.points[:, :5], occluded=None)
    path = saved(labelled, tmp_path / "five")
    with pytest.raises(DataError, match="columns for 5 points, scheme ibug68 has 68"):
        nasion.load_faces(None, path, scheme=ibug68)
    (tmp_path / "five.xml").write_text(
        "<dataset><images><image file='0.png'><box top='1' left='1' width='90' height='90'>"
        + "".join(f"<part name='{i}' x='{i + 10}' y='{i + 20}'/>" for i in range(5))
        + "</box></image></images></dataset>"
    )
    with pytest.raises(DataError, match=r"numbered up to 4, which fits no scheme.*ibug68 has 68"):
        nasion.load_faces(None, tmp_path / "five.xml", scheme=ibug68)


def test_predictions_without_a_common_point_are_refused():
    faces = toy.draw(3, fkd15)
    other = Scheme(name="other", points=tuple(f"q{i}" for i in range(15)), mirror=())
    predictions = nasion.Predictions(scheme=other, ids=faces.ids, points=faces.points)
    with pytest.raises(SettingError, match="no name is in both"):
        nasion.evaluate(predictions, faces)


@pytest.mark.parametrize("part", ["eye", "lip"])
def test_boxes_of_a_part_of_the_face_are_those_of_the_networks_points(part, tmp_path):
    """Labels of the eyes alone, for a network of 68 points: not a crop of the eyes."""
    whole = photographs(12, ibug68, seed=5)
    names = tuple(name for name in ibug68.points if part in name)
    some = whole.to(Scheme(name="part", points=names, mirror=()))
    table = saved(some, tmp_path / "part")
    truth = geometry.points_box(whole.points.astype(float))
    for whole_images in (None, False):
        for settings in ({"scheme": ibug68}, {"box_scheme": ibug68}):
            faces = nasion.load_faces(None, table, whole_images=whole_images, **settings)
            overlap = [iou(a, b[None])[0] for a, b in zip(truth, faces.boxes, strict=True)]
            assert np.mean(overlap) > 0.7
    # Of a network with fewer points than are labelled, all that are labelled count.
    nose = Scheme(name="nose", points=("nose_tip",), mirror=())
    faces = nasion.load_faces(None, saved(whole, tmp_path / "whole"), scheme=nose)
    np.testing.assert_allclose(faces.boxes, truth, atol=0.01)
