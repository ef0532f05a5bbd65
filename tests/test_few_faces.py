"""Training on few faces: whether to train at all, distilled labels, and warnings."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import changed

import nasion
from nasion.data.datasets import toy
from nasion.data.missing_boxes import estimate_boxes, with_tight_boxes
from nasion.errors import RunError, SettingError
from nasion.inference import run_folder, whole_faces
from nasion.inference.export import export_model
from nasion.inference.predictor import load_model
from nasion.inference.training_record import TrainingRecord
from nasion.landmarks import geometry
from nasion.landmarks.boxes import face_boxes, iou
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face_extent import boxes_of_points
from nasion.landmarks.faces import join
from nasion.landmarks.scheme import Scheme
from nasion.model_spec import ModelSpec
from nasion.recipes.finetune import RECIPE
from nasion.training import few_faces, fitting_crops, starting_network
from nasion.training.point_map import held_out_points
from nasion.training.starting_network import distilled, open_starting_network
from nasion.training.state import TrainingState
from nasion.training.training_faces import warn_of_few

EYES = Scheme(
    name="eyes",
    points=("right_eye_middle", "left_eye_middle"),
    mirror=(("right_eye_middle", "left_eye_middle"),),
)


def eye_faces(count=12, seed=1):
    """Toy faces with the middle of each eye, two faces a person."""
    faces = toy.draw(count, ibug68, size=120, seed=seed)
    points = np.stack([faces.points[:, 36:42].mean(1), faces.points[:, 42:48].mean(1)], axis=1)
    low, high = faces.points.min(1), faces.points.max(1)
    return replace(
        faces,
        scheme=EYES,
        points=points.astype(np.float32),
        occluded=None,
        boxes=np.concatenate([low, high], axis=1),
        groups={"person": tuple(str(i // 2) for i in range(count))},
        linked=("person",),
    )


def scored(trained, untrained):
    """A training loop that ends with these validation scores; the sides that it was given."""
    sides = []

    def fit(recipe, train, val, folder):
        sides.append((recipe, train, val))
        state = TrainingState(best=untrained)
        if recipe.epochs:
            state.history.append({"val": trained})
        return state

    return fit, sides


@pytest.mark.parametrize(("trained", "epochs"), [(2.0, RECIPE.epochs), (4.0, 0)])
def test_cross_validation_over_persons_decides_whether_to_train(trained, epochs, caplog):
    fit, sides = scored(trained, 3.0)
    with caplog.at_level("INFO", "nasion"):
        chosen = few_faces.trained_or_not(RECIPE, eye_faces(), fit)
    assert chosen.epochs == epochs
    assert f"RMSE {trained:.4g} trained, 3 untrained" in caplog.text
    held_out = []
    for recipe, train, val in sides:
        assert not set(train.groups["person"]) & set(val.groups["person"])
        held_out += val.ids if recipe.epochs else ()
    assert sorted(held_out) == sorted(eye_faces().ids)  # each face once


def test_faces_of_one_person_cannot_decide(caplog):
    faces = eye_faces(4)
    alone = replace(faces, groups={"person": ("1",) * 4})
    fit, sides = scored(2.0, 3.0)
    assert few_faces.trained_or_not(RECIPE, alone, fit) is RECIPE
    assert not sides and "4 training faces are of one person" in caplog.text


@pytest.mark.parametrize(
    ("count", "changes", "undecided"),
    [(12, (), True), (12, ("epochs=3",), False), (12, ("keep=last",), False), (26, (), False)],
)
def test_only_few_faces_without_a_length_of_training_are_undecided(count, changes, undecided):
    assert few_faces.is_undecided(RECIPE, eye_faces(count), changes) is undecided
    from_random = replace(RECIPE, init_from=None)
    assert not few_faces.is_undecided(from_random, eye_faces(count), changes)


def test_points_of_a_group_come_from_the_labels_of_the_others():
    rng = np.random.default_rng(0)
    known = rng.normal(50, 20, (8, 10, 2))
    labels = known[:, :3].copy()
    labels[6:] += 30  # of the last group only
    groups = ("a", "a", "b", "b", "c", "c", "d", "d")
    found = held_out_points(known, labels, np.array([0, 1, 2]), groups)
    # The others say that each point is the known one.
    np.testing.assert_allclose(found[6:], known[6:, :3], atol=1e-6)
    alone = held_out_points(known[:1], labels[:1], np.array([0, 1, 2]), ("a",))
    assert np.isnan(alone).all()


def test_labels_move_by_their_share_towards_the_networks_points(monkeypatch):
    start, faces = open_starting_network("face68_light"), eye_faces()
    points = faces.points.copy()
    points[0, 0] = np.nan
    faces = replace(faces, points=points)
    towards = np.full(points.shape, 10.0)
    monkeypatch.setattr(starting_network, "held_out_points", lambda *_: towards)
    moved = distilled(start, faces, 0.25).points
    np.testing.assert_allclose(moved, 0.75 * points + 2.5, rtol=1e-5)
    assert np.isnan(moved[0, 0]).all() and np.isfinite(moved[0, 1]).all()
    # What no other group's labels explain stays as it is labelled.
    monkeypatch.setattr(
        starting_network, "held_out_points", lambda *_: np.full(points.shape, np.nan)
    )
    np.testing.assert_array_equal(distilled(start, faces, 0.25).points, points)


@pytest.mark.slow
def test_no_epochs_keep_the_weighted_means_and_what_the_network_was_trained_on(
    tmp_path, monkeypatch
):
    # Boxes around two points, as labels without boxes get, and no detector for better ones.
    monkeypatch.setattr(fitting_crops, "tell_size", lambda faces: True)
    faces = with_tight_boxes(eye_faces())
    done = nasion.train(
        "finetune",
        (faces[:8], faces[8:]),
        run_folder=tmp_path / "run",
        changes=["init_from=face68_light", "epochs=0"],
    )
    assert done.state.history == [] and done.recipe.epochs == 0
    model = load_model(done.folder)
    found = model.predict(faces[8:]).points
    eyes = np.linalg.norm(np.diff(faces[8:].points, axis=1), axis=-1).mean()
    assert np.linalg.norm(found - faces[8:].points, axis=-1).mean() < 0.05 * eyes
    # As good in the boxes that a detector gives, which are of whole faces.
    spec, whole = model.spec, eye_faces()[8:].boxes
    boxes = boxes_of_points(whole, spec.scheme, spec.face_margins).astype(np.float32)
    found = model.predict(replace(faces[8:], boxes=boxes)).points
    assert np.linalg.norm(found - faces[8:].points, axis=-1).mean() < 0.05 * eyes
    # And as an exported file.
    export_model(model, tmp_path / "eyes.onnx")
    exported = load_model(tmp_path / "eyes.onnx")
    assert exported.spec.face_margins == spec.face_margins
    assert exported.spec.box_shift == spec.box_shift != (0, 0)
    # The run itself predicts in bfloat16, up to 0.07 pixels off.
    in_float32 = replace(model, network=model.network.in_float32())
    same, again = (
        each.predict(replace(faces[8:], boxes=boxes)).points for each in (in_float32, exported)
    )
    # Crops are rounded to whole grey levels.
    np.testing.assert_allclose(again, same, atol=0.01)
    before = load_model("face68_light").trained_on
    assert model.trained_on.seen(faces[:8]).all()
    rows = model.trained_on.fingerprints
    for known in before.fingerprints[::100]:
        # Within 8 bits of one that is kept.
        assert np.bitwise_count(rows ^ known).sum(1, dtype=int).min() <= 8
    assert len(rows) <= len(before.fingerprints) + 8
    assert {"your own", *before.data.split(", ")} >= set(model.trained_on.data.split(", "))
    # What a training of other faces left, killed before its first checkpoint, is written anew.
    (done.folder / run_folder.CHECKPOINT).rename(tmp_path / "checkpoint")
    TrainingRecord("others", before.fingerprints[:1]).write(done.folder)
    changes = ["init_from=face68_light", "epochs=0"]
    nasion.train("finetune", (faces[:8], faces[8:]), run_folder=done.folder, changes=changes)
    assert load_model(done.folder).trained_on.seen(faces[:8]).all()
    # It is finished, so that continuing changes nothing.
    again = nasion.train("finetune", (faces[:8], faces[8:]), run_folder=done.folder, resume=True)
    assert again.state.best == done.state.best and again.state.history == []


@pytest.mark.slow
def test_a_command_with_few_faces_says_what_cross_validation_chose(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(few_faces, "FOLDS", 2)
    quick = ["init_from=face68_light", "repeats=1", "spec.input_size=64,64", "precision=float32"]
    with caplog.at_level("INFO", "nasion"):
        done = nasion.train("finetune", eye_faces(), run_folder=tmp_path / "run", changes=quick)
    assert "Fold 2 of 2" in caplog.text and "Held-out faces: RMSE" in caplog.text
    assert caplog.text.count(" known to ") == 1  # the folds' own lines are not shown
    record = json.loads((done.folder / run_folder.SETTINGS).read_text())["recipe"]
    assert record["epochs"] in (0, RECIPE.epochs)
    # A folder that is in use is refused before anything is trained.
    caplog.clear()
    with pytest.raises(RunError, match="already holds a run"):
        nasion.train("finetune", eye_faces(), run_folder=tmp_path / "run", changes=quick)
    assert "Fold" not in caplog.text


def test_faces_are_found_whole_by_the_points_that_a_detected_box_holds(monkeypatch):
    faces = with_tight_boxes(eye_faces(6))
    whole = eye_faces(6).boxes

    def detect(image):
        i = next(i for i in range(6) if image is faces.images[i])
        elsewhere = whole[i] + 300
        # The surest box holds no labelled point; in the last image only that one is found.
        boxes = [elsewhere] if i == 5 else [elsewhere, whole[i]]
        return np.array(boxes, dtype=np.float32), np.ones(len(boxes), dtype=np.float32)

    faces = replace(faces, images=tuple(faces.images))
    monkeypatch.setattr(whole_faces.detectors, "load", lambda _: detect)
    monkeypatch.setattr(whole_faces, "as_pixels", lambda image, colour: image)
    found = whole_faces.whole_face_boxes(faces)
    np.testing.assert_allclose(found[:5], whole[:5])
    # The others say how far a face reaches beyond such a box.
    assert iou(found[5], whole[5:6])[0] > 0.5
    alone = whole_faces.whole_face_boxes(faces[5:])
    assert np.isnan(alone).all()


def one_point(faces):
    """The faces with their left eye only, without boxes."""
    scheme = Scheme(name="one", points=EYES.points[:1], mirror=())
    return replace(faces, scheme=scheme, points=faces.points[:, :1], boxes=None)


def found_but(monkeypatch, faces, missed=()):
    """A detector that gives the faces' boxes, but of the images at these positions."""

    def detect(image):
        i = next(i for i, each in enumerate(faces.images) if np.array_equal(image, each))
        found = faces.boxes[[] if i in missed else [i]]
        return found.astype(np.float32), np.ones(len(found), dtype=np.float32)

    monkeypatch.setattr(whole_faces.detectors, "load", lambda _: detect)
    monkeypatch.setattr(whole_faces, "as_pixels", lambda image, colour: np.asarray(image))


def test_a_single_point_does_not_tell_how_large_a_face_is_but_the_detector_does(monkeypatch):
    faces = eye_faces(6)
    found_but(monkeypatch, faces)
    single = one_point(faces)
    assert not whole_faces.tell_size(single)
    # The box of a pixel that a tool writes around a point says no more.
    pixel = np.concatenate([single.points[:, 0] - 0.5, single.points[:, 0] + 0.5], axis=1)
    assert not whole_faces.tell_size(replace(single, boxes=pixel))
    assert whole_faces.tell_size(replace(single, boxes=faces.boxes))
    np.testing.assert_allclose(whole_faces.detected_boxes(single), faces.boxes)
    # Labels all over a face do.
    assert whole_faces.tell_size(replace(toy.draw(6, ibug68, size=120, seed=1), boxes=None))


def test_faces_that_the_detector_misses_get_a_box_like_the_others(monkeypatch):
    faces = eye_faces(6)
    found_but(monkeypatch, faces, missed=(2,))
    boxes = whole_faces.detected_boxes(one_point(faces))
    np.testing.assert_allclose(np.delete(boxes, 2, 0), np.delete(faces.boxes, 2, 0))
    assert iou(boxes[2], faces.boxes[2:3])[0] > 0.7
    # Of hardly any face found, nothing is known.
    found_but(monkeypatch, faces, missed=(1, 2, 3, 5))
    assert whole_faces.tell_size(one_point(faces))
    assert np.isnan(whole_faces.detected_boxes(one_point(faces))[1]).all()


def test_a_label_does_not_say_where_a_face_is_that_the_detector_misses_but_to_learn(monkeypatch):
    faces = eye_faces(6)
    found_but(monkeypatch, faces, missed=(2,))
    single = one_point(faces)
    points = single.points + np.float32(20) * (np.arange(6) == 2)[:, None, None]
    moved = replace(single, points=points.astype(np.float32))
    spec = ModelSpec(scheme=single.scheme, input_size=(32, 32), detected_boxes=True)
    boxes = [whole_faces.in_seen_boxes(each, spec).boxes for each in (single, moved)]
    np.testing.assert_array_equal(*boxes)
    assert np.isnan(boxes[0][2]).all() and np.isfinite(np.delete(boxes[0], 2, 0)).all()
    assert np.isfinite(whole_faces.in_seen_boxes(single, spec, to_learn=True).boxes).all()


@pytest.mark.slow
def test_a_single_point_is_trained_evaluated_and_predicted_in_the_detectors_boxes(
    tmp_path, monkeypatch, caplog
):
    faces = eye_faces()
    found_but(monkeypatch, faces)
    single = one_point(faces)
    with caplog.at_level("INFO", "nasion"):
        done = nasion.train(
            "finetune",
            (single[:8], single[8:]),
            run_folder=tmp_path / "run",
            changes=["init_from=face68_light", "epochs=0"],
        )
    assert "cropped in the boxes that the detector gives" in caplog.text
    spec = done.recipe.spec
    assert spec.detected_boxes and spec.face_margins == (0, 0, 0, 0) and spec.refine_steps == 1
    export_model(load_model(done.folder), tmp_path / "one.onnx")
    for model in (done.folder, tmp_path / "one.onnx"):
        result = nasion.evaluate(model, single[8:])
        # Relative to the face, since the point has no size.
        assert result.norm == "box" and result.overall.nme < 0.02
        # What the detector gives is what the network has seen.
        detector = whole_faces.detectors.load("")
        seen = nasion.Landmarker(model, detector=detector, min_score=0)
        for image, known in zip(single.images[8:], result.predictions.points, strict=True):
            np.testing.assert_allclose(seen(image)[0].points, known, atol=0.05)
    # A box that is given counts, also beside labels of other faces.
    model = load_model(done.folder)
    given = model(single.images[8:], boxes=faces.boxes[8:]).points
    np.testing.assert_allclose(given, result.predictions.points, atol=0.05)


def test_loose_boxes_become_tight_and_those_of_hardly_labelled_faces_alike(caplog):
    faces = toy.draw(8, ibug68, size=120, seed=2)
    tight = geometry.points_box(faces.points.astype(float))
    loose = geometry.grow_box(tight, 0.2).astype(np.float32)
    points = faces.points.copy()
    points[0, 4:] = np.nan
    with caplog.at_level("INFO", "nasion"):
        found = with_tight_boxes(replace(faces, points=points, boxes=loose, occluded=None), "mine")
    np.testing.assert_allclose(found.boxes, tight, atol=0.01)
    assert "mine: the boxes of 7 faces are not tight" in caplog.text
    assert "1.40 times as long" in caplog.text
    caplog.clear()
    again = with_tight_boxes(found)
    np.testing.assert_allclose(again.boxes, tight, atol=0.01)
    assert not caplog.text


def test_level_eyes_have_a_box_as_nearly_level_ones():
    points = np.array([[[10, 20], [50, 20]], [[10, 20], [50, 20.5]], [[10, 20], [10, 20]]])
    boxes = estimate_boxes(points.astype(float), EYES)
    np.testing.assert_allclose(boxes[:2], [[10, 19.5, 50, 20.5], [10, 19.75, 50, 20.75]])
    assert np.isnan(boxes[2]).all()


def test_a_detectors_box_and_known_margins_give_the_points_box_back():
    inner = np.array([[40.0, 60, 80, 64], [10, 10, 30, 50]])
    margins = (0.5, 1.0, 0.5, 2.0)
    size = (inner[:, 2:] - inner[:, :2]).mean(axis=1, keepdims=True)
    whole = inner + np.array([-1, -1, 1, 1]) * np.array(margins) * size
    np.testing.assert_allclose(boxes_of_points(whole, EYES, margins), inner)


def test_small_validation_sides_are_told_apart_from_large_ones(caplog):
    warn_of_few(eye_faces(8))
    assert "8 validation faces of 4 different persons or photographs" in caplog.text
    assert "less than 25 %" in caplog.text
    caplog.clear()
    many = toy.draw(30, seed=3)
    warn_of_few(many)
    assert not caplog.text


def test_records_of_what_was_seen_are_joined():
    rows = np.arange(96, dtype=np.uint8).reshape(3, 32)
    joined = TrainingRecord("a", rows[:2]).joined(TrainingRecord("b, a", rows[1:]))
    assert joined.data == "a, b"
    np.testing.assert_array_equal(joined.fingerprints, rows)
    alone = TrainingRecord("a", rows)
    assert alone.joined(None) is alone


def test_a_face_that_is_learnt_from_several_times_has_one_fingerprint():
    """Also with labels a little apart, which turn a few bits of 256: here 8, and 9 of another."""
    random = np.random.default_rng(0)
    first = random.integers(0, 256, (5, 32), dtype=np.uint8)
    near, far = first.copy(), first.copy()
    near[:, 3] ^= 0xFF
    far[:, 3] ^= 0xFF
    far[:, 4] ^= 0x01
    joined = TrainingRecord("a", first).joined(TrainingRecord("a", np.concatenate([near, far])))
    np.testing.assert_array_equal(joined.fingerprints, np.concatenate([first, far]))
    faces = toy.draw(6, seed=3)
    again = replace(faces, ids=tuple(f"again/{i}" for i in range(6)))
    once, twice = TrainingRecord.of("a", faces), TrainingRecord.of("a", join(faces, again))
    np.testing.assert_array_equal(once.fingerprints, twice.fingerprints)
    assert len(once.fingerprints) == 6 and twice.seen(faces).all()


def test_no_epochs_need_a_network_to_start_from():
    with pytest.raises(SettingError, match="epochs must be 1 or more; found 0"):
        replace(RECIPE, init_from=None, epochs=0)
    with pytest.raises(SettingError, match="distillation must be 0 to below 1; found 1"):
        changed(RECIPE, distillation=1.0)


def test_faces_whose_points_span_no_area_keep_the_box_they_were_found_in():
    searched = np.array([[10.0, 20, 50, 70]] * 3)
    points = np.array([[[30.0, 40], [30, 40]], [[20, 40], [45, 40]], [[20, 30], [45, 60]]])
    found = face_boxes(points.astype(np.float32), searched)
    np.testing.assert_array_equal(found, [searched[0], searched[1], [20, 30, 45, 60]])
