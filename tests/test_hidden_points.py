"""Which points can be seen: in faces, in every output format, in drawings, and read back."""

import csv
import io
import json
import math

import numpy as np
import pytest
from hidden_points import CORNERS, SQUARE, forget_hidden, predict_hidden, result_of, square
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import nasion
from nasion import Landmarker, load_faces, prediction_formats
from nasion.app.tables import left_out_line
from nasion.data.convert import convert
from nasion.data.datasets import coco, nasion_json, toy
from nasion.discovery import FORMATS
from nasion.errors import DataError
from nasion.evaluation import matching
from nasion.inference.landmarker import _map_back
from nasion.inference.tracking import Tracker
from nasion.landmarks.catalog import ibug68 as ibug
from nasion.landmarks.face import VISIBLE
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats import DrawStyle, image, to_text

TEXTS = prediction_formats.text_formats()
FAR_EYE = ("right_eye_outer_corner", "right_eye_inner_corner")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(toy.draw(1, ibug, size=320, colour=True).images[0]).save(path)
    return path


# Faces


def test_a_point_is_hidden_below_a_chance_of_one_half():
    assert VISIBLE == 0.5
    assert square(visible=(0.51, 0.5, 0.49, math.nan)).hidden.tolist() == [
        False,
        False,
        True,
        False,
    ]
    assert not square(visible=None).hidden.any()


def test_hidden_points_are_left_out_as_nan_and_nothing_else_changes():
    face = square()
    left = face.without_hidden()
    np.testing.assert_array_equal(left.points[:3], CORNERS[:3])
    assert np.isnan(left.points[3]).all()
    assert left.box is face.box and left.visible is face.visible and left.scores is face.scores
    assert square(visible=None).without_hidden().points is CORNERS
    result = result_of(face, square(visible=None))
    assert [np.isnan(f.points).sum() for f in result.without_hidden().faces] == [2, 0]


def predictions(**columns):
    points = np.stack([CORNERS, CORNERS + 5])
    return Predictions(scheme=SQUARE, ids=("x", "y"), points=points, **columns)


def test_predictions_in_another_scheme_keep_what_is_visible():
    visible = np.array([[0.9, 0.1, 0.8, 0.7], [0.2, 0.3, 0.4, 0.5]], np.float32)
    own = Scheme(name="o", points=("c", "new", "second"), mirror=(), aliases=(("second", "b"),))
    moved = predictions(visible=visible).to(own)
    np.testing.assert_array_equal(
        moved.visible, np.array([[0.8, np.nan, 0.1], [0.4, np.nan, 0.3]], np.float32)
    )
    assert predictions().to(own).visible is None


def test_chances_of_another_shape_are_refused():
    wrong = predictions()
    # Types in tests would refuse it first, which users do not have.
    object.__setattr__(wrong, "visible", np.zeros((2, 3), np.float32))
    with pytest.raises(DataError, match=r"visible of shape 2 x 3 for 2 faces of 4 points"):
        wrong.__post_init__()


def test_predictions_matched_to_faces_keep_what_is_visible():
    images = np.zeros((3, 80, 80), np.uint8)
    points = np.stack([CORNERS] * 3)
    faces = Faces(scheme=SQUARE, ids=("y", "none", "x"), images=images, points=points)
    visible = np.array([[0.9, 0.1, 0.8, 0.7], [0.2, 0.3, 0.4, 0.5]], np.float32)
    matched, missing, _ = matching.match_by_id(predictions(visible=visible), faces)
    assert missing == ["none"]
    np.testing.assert_array_equal(matched.visible[[2, 0]], visible)
    assert np.isnan(matched.visible[1]).all()


def test_rotating_and_tracking_keep_what_is_visible(monkeypatch):
    turned = _map_back(square(), np.array([[0.0, -1, 100], [1, 0, 0]]))
    assert turned.hidden.tolist() == [False, False, False, True]
    predict_hidden(monkeypatch, *FAR_EYE)
    landmarker = Landmarker("face68_light")
    assert landmarker.predicts_visible
    track = Tracker(landmarker)
    pixels = toy.draw(1, ibug, size=320, colour=True).images[0]
    for i in range(3):
        (face,) = track(pixels, i / 25)
        assert {face.names[k] for k in np.flatnonzero(face.hidden)} == set(FAR_EYE)


# Formats


def test_json_holds_the_chances_and_null_for_points_that_are_left_out():
    whole = json.loads(to_text("json", [result_of(square())]))
    (face,) = whole["images"][0]["faces"]
    assert face["visible"] == [0.9, 0.75, 0.5, 0.25] and face["points"][3] == [20, 60]
    text = to_text("json", [result_of(square()).without_hidden()])
    assert "NaN" not in text
    (face,) = json.loads(text)["images"][0]["faces"]
    assert face["points"][2:] == [[60, 60], [None, None]]
    assert face["visible"] == [0.9, 0.75, 0.5, 0.25] and face["box"] == [20, 20, 60, 60]
    assert "visible" not in to_text("json", [result_of(square(visible=None))])


def rows(*results):
    return list(csv.DictReader(io.StringIO(to_text("csv", results))))


def test_a_table_holds_the_chances_and_empty_cells_for_points_that_are_left_out():
    (row,) = rows(result_of(square()))
    assert [row[f"{point}_visible"] for point in "abcd"] == ["0.9000", "0.7500", "0.5000", "0.2500"]
    assert (row["d_x"], row["d_y"], row["d_score"]) == ("20", "60", "0.6000")
    (row,) = rows(result_of(square()).without_hidden())
    assert (row["d_x"], row["d_y"], row["d_visible"]) == ("", "", "0.2500") and row["c_x"] == "60"
    # Without the chances the table is as it was; the first face may come late, or never.
    none, plain = result_of(), result_of(square(visible=None))
    for results in ([plain], [none, plain], [none]):
        header = to_text("csv", results).splitlines()[0]
        assert header.endswith(",d_score") == (results != [none]) and "visible" not in header
    assert to_text("csv", [none, result_of(square())]).count("a_visible") == 1


def test_coco_says_labelled_but_hidden_and_nothing_for_points_that_are_left_out():
    (face,) = json.loads(to_text("coco", [result_of(square())]))["annotations"]
    assert face["keypoints"][2::3] == [2, 2, 2, 1] and face["num_keypoints"] == 4
    (face,) = json.loads(to_text("coco", [result_of(square()).without_hidden()]))["annotations"]
    assert face["keypoints"][6:] == [60, 60, 2, 0, 0, 0] and face["num_keypoints"] == 3
    (face,) = json.loads(to_text("coco", [result_of(square(visible=None))]))["annotations"]
    assert face["keypoints"][2::3] == [2, 2, 2, 2]


def test_points_files_hold_all_points_or_nan(tmp_path):
    prediction_formats.write([result_of(square())], ["pts"], tmp_path)
    assert (tmp_path / "a.pts").read_text().splitlines()[6] == "21.000 61.000"
    prediction_formats.write([result_of(square()).without_hidden()], ["pts"], tmp_path)
    assert (tmp_path / "a.pts").read_text().splitlines()[6] == "nan nan"


@pytest.mark.parametrize("kind", [*TEXTS, "pts"])
@pytest.mark.parametrize("visible", [(0.9, 0.75, 0.5, 0.25), (0.1,) * 4])
def test_points_that_are_left_out_are_read_back_as_missing(kind, visible, tmp_path):
    left = result_of(square(visible=visible)).without_hidden()
    (written,) = prediction_formats.write([left], [kind], tmp_path / "out")
    _, (face,) = prediction_formats.read(written, SQUARE)
    hidden = np.array(visible) < 0.5
    np.testing.assert_array_equal(np.isnan(face.points).all(1), hidden)
    np.testing.assert_allclose(face.points[~hidden], CORNERS[~hidden], atol=1e-3)


chances = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)


@settings(deadline=None, max_examples=40)
@given(chances=chances, left_out=st.booleans(), kind=st.sampled_from(["json", "jsonl", "coco"]))
def test_labels_made_of_predictions_know_what_is_occluded(
    tmp_path_factory, chances, left_out, kind
):
    """What is hidden comes back as occluded; to four digits, as JSON holds the chances."""
    chances = [round(chance, 4) for chance in chances]
    folder = tmp_path_factory.mktemp("labels")
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(folder / "a.jpg")
    result = result_of(square(visible=chances), square(visible=(0.9,) * 4, points=CORNERS + 5))
    shown = result.without_hidden() if left_out else result
    (written,) = prediction_formats.write([shown], [kind], folder)
    faces = (coco if kind == "coco" else nasion_json).read(written, scheme=SQUARE)
    hidden = np.array(chances, np.float32) < 0.5
    np.testing.assert_array_equal(faces.labelled[0], ~hidden if left_out else np.ones(4, bool))
    occluded = np.zeros((2, 4), bool) if faces.occluded is None else faces.occluded
    np.testing.assert_array_equal(occluded[0], hidden & (not left_out))
    assert not occluded[1].any() and faces.labelled[1].all()
    if kind != "coco":
        back = matching.read_predictions(written, faces)
        np.testing.assert_allclose(back.visible[0], chances, atol=1e-4)


@pytest.mark.parametrize("to", ["coco", "cvat", "yolo_pose", "nasion_json", "points_csv"])
def test_predictions_are_converted_to_labels_with_occluded_points(to, tmp_path):
    (tmp_path / "own").mkdir()
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / "own" / "a.jpg")
    (written,) = prediction_formats.write([result_of(square())], ["json"], tmp_path / "own")
    done = convert(written, tmp_path / to, to)
    kept = load_faces(to, done.data, scheme=SQUARE)
    occluded = kept.occluded
    if to == "points_csv":  # has no place for it, and says so
        assert occluded is None and done.lost == {"marks of occluded points": 1}
    else:
        assert occluded.tolist() == [[False, False, False, True]] and not done.lost
    np.testing.assert_allclose(kept.points[0], CORNERS, atol=1e-3)


@pytest.mark.parametrize(
    ("visible", "problem"),
    [([0.5, 0.5], "2 scores, 4 expected"), ([0.1, 2, 0, 0], "0 to 1 expected")],
)
def test_wrong_chances_in_a_file_are_refused(visible, problem, tmp_path):
    whole = json.loads(to_text("json", [result_of(square())]))
    whole["images"][0]["faces"][0]["visible"] = visible
    (tmp_path / "predictions.json").write_text(json.dumps(whole))
    with pytest.raises(DataError, match=problem) as raised:
        prediction_formats.read(tmp_path / "predictions.json", SQUARE)
    assert "images[0].faces[0].visible" in str(raised.value)


# Drawings


def drawn(face, **settings):
    style = DrawStyle(**settings)
    return image.draw(result_of(face, side=800), style, enlarge=False).astype(int)


def large(visible):
    """Marks have a radius of 500 / 80 = 6 pixels."""
    face = square(visible=visible, points=(CORNERS - 20) * 12.5 + 100)
    return nasion.Face(SQUARE, face.points, np.float32([100, 100, 600, 600]), 0.75, face.scores,
                       visible=face.visible)  # fmt: skip


def test_a_hidden_point_is_a_ring_through_which_the_image_is_seen():
    pixels, plain = drawn(large((0.9, 0.9, 0.9, 0.1))), drawn(large(None))
    colour = np.array(image.score_colour(0.6))
    # d is at 100, 600: its middle is the grey image, not the line to c, and the ring is coloured.
    assert np.abs(pixels[600, 100] - 90).max() < 12
    assert np.abs(plain[600, 100] - colour).max() < 12
    assert np.abs(pixels[600, 95] - colour).max() < 60 and np.abs(pixels[600, 95] - 90).max() > 60
    # The others, and the lines between them, are as without any that is hidden.
    np.testing.assert_array_equal(pixels[:500], plain[:500])


def test_lines_to_hidden_points_are_thinner_and_without_them_gone():
    def brightness(face):
        return (drawn(face)[585:616, 300:400] - 90).clip(0).sum()

    full = brightness(large(None))
    thin = brightness(large((0.9, 0.9, 0.9, 0.1)))
    assert 0.1 * full < thin < 0.6 * full
    assert brightness(large((0.9, 0.9, 0.9, 0.1)).without_hidden()) == 0


@pytest.mark.parametrize("labels", ["none", "numbers", "names"])
@pytest.mark.parametrize("visible", [(0.9, 0.1, 0.9, 0.1), (0.1,) * 4])
def test_nothing_is_drawn_at_points_that_are_left_out(labels, visible):
    face = large(visible)
    pixels = drawn(face.without_hidden(), labels=labels, boxes=False)
    for (x, y), hidden in zip(face.points.astype(int), face.hidden, strict=True):
        around = pixels[y - 15 : y + 16, x - 15 : x + 16]
        assert (np.abs(around - 90).max() > 60) == (not hidden)


def test_in_a_small_face_a_ring_still_differs_from_a_disc():
    box = np.float32([20, 20, 50, 50])
    points = np.float32([[20, 20], [50, 20], [50, 50], [20, 50]])
    faces = [
        nasion.Face(SQUARE, points, box, 0.9, visible=np.array(each, np.float32))
        for each in ((0.9,) * 4, (0.9, 0.9, 0.9, 0.1))
    ]
    disc, ring = (image.draw(result_of(face), enlarge=False).astype(int) for face in faces)
    assert disc[50, 20, 0] - ring[50, 20, 0] > 60  # yellow against the grey of the image
    # A hole of three pixels within full colour: smaller ones are lost in video.
    assert (ring[50, 19:22] == 90).all() and (ring[50, [18, 22], 0] > 200).all()


# Commands and responses


@pytest.fixture
def predict(monkeypatch, capsys, tmp_path):
    from helpers import run_command

    def run(*words):
        folder = tmp_path / "out"
        code, said = run_command(
            monkeypatch, capsys, "predict", *words, "--run", "face68_light", "--out", folder
        )
        return code, " ".join(said.split()), folder

    return run


def test_hide_occluded_leaves_hidden_points_out_of_all_formats(predict, photo, monkeypatch):
    predict_hidden(monkeypatch, *FAR_EYE)
    formats = [word for name in FORMATS.names() for word in ("-f", name)]
    code, said, folder = predict(photo, *formats)
    assert code == 0, said
    before = np.asarray(Image.open(folder / "photo-points.jpg")).astype(int)
    (face,) = json.loads((folder / "predictions.json").read_text())["images"][0]["faces"]
    at = ibug.index(list(FAR_EYE)).tolist()
    assert [face["visible"][k] < 0.5 for k in range(68)] == [k in at for k in range(68)]
    code, said, _ = predict(photo, *formats, "--hide-occluded")
    assert code == 0, said
    after = np.asarray(Image.open(folder / "photo-points.jpg")).astype(int)
    for kind in (*TEXTS, "pts"):
        module = FORMATS.load(kind)
        path = folder if kind == "pts" else folder / f"predictions{module.SUFFIX}"
        _, (left,) = prediction_formats.read(path, ibug)
        assert np.flatnonzero(np.isnan(left.points[:, 0])).tolist() == sorted(at), kind
    changed = np.argwhere(np.abs(before - after).max(2) > 40)[:, ::-1]
    places = np.array([face["points"][k] for k in at]) * (before.shape[1] / 320)
    near = np.linalg.norm(changed[:, None] - places, axis=2).min(1)
    assert len(changed) > 10 and np.median(near) < 15


@pytest.mark.parametrize("engine", [(), ("--engine", "plain")])
def test_hide_occluded_is_refused_where_the_network_does_not_know(
    predict, photo, engine, monkeypatch
):
    forget_hidden(monkeypatch)
    code, said, folder = predict(photo, "--hide-occluded", *engine)
    assert code == 1 and "face68_light, which does not predict which points are hidden" in said
    assert not folder.exists()


def test_evaluating_what_was_left_out_says_that_it_counts_as_a_failure():
    reason = "faces with a labelled point not predicted, counted as failures"
    assert left_out_line(reason, ["a"]) == f"1 face{reason[5:]} (a)"
    assert left_out_line("faces without a label", list("abcd")) == (
        "Left out: 4 faces without a label (a, b, c ...)"
    )


def test_hide_occluded_in_videos(predict, tmp_path, monkeypatch):
    pytest.importorskip("av")
    predict_hidden(monkeypatch, *FAR_EYE)
    face = toy.draw(1, ibug, size=160, colour=True).images[0]
    frames = [Image.fromarray(np.roll(face, 3 * k, axis=1)) for k in range(3)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=40)
    code, said, folder = predict(tmp_path / "clip.gif", "-f", "image", "-f", "jsonl",
                                 "--hide-occluded")  # fmt: skip
    assert code == 0, said
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == 3 and (folder / "clip-points.mp4").stat().st_size > 0
    at = ibug.index(list(FAR_EYE)).tolist()
    for line in lines:
        (face,) = json.loads(line)["faces"]
        assert [k for k, xy in enumerate(face["points"]) if xy == [None, None]] == sorted(at)


@pytest.mark.parametrize("hides", [False, True])
def test_in_bulk_the_chances_are_a_column(photo, tmp_path, monkeypatch, hides):
    parquet = pytest.importorskip("pyarrow.parquet")
    from nasion.app import bulk
    from nasion.app.bulk_inputs import make_parts

    forget_hidden(monkeypatch)
    parts = make_parts([str(photo)])
    plain = bulk.BulkSettings("face68_light")
    list(bulk.run(parts, plain, tmp_path / "plain", "plain"))
    (before,) = (tmp_path / "plain").glob("*.parquet")
    assert "visible" not in parquet.read_schema(before).names
    predict_hidden(monkeypatch, *FAR_EYE)
    own = bulk.BulkSettings("face68_light", hide_occluded=hides)
    list(bulk.run(parts, own, tmp_path / "out", "plain"))
    (written,) = (tmp_path / "out").glob("*.parquet")
    assert (written.name == before.name) == (not hides)
    (row,) = parquet.read_table(written).to_pylist()
    at = sorted(ibug.index(list(FAR_EYE)).tolist())
    assert np.flatnonzero(np.array(row["visible"]) < 0.5).tolist() == at
    missing = np.isnan(np.array(row["points"]).reshape(68, 2)[:, 0])
    assert np.flatnonzero(missing).tolist() == (at if hides else [])
