"""Calibrated scores: worked by hand, right where they were measured, read back, in the report."""

from dataclasses import replace

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.errors import DataError, RunError
from nasion.evaluation.evaluate import evaluate
from nasion.evaluation.reliability import reliability
from nasion.inference import calibration
from nasion.inference.calibration import TOLERANCE, face_sizes
from nasion.landmarks.faces import Predictions
from nasion.landmarks.scheme import Scheme


def test_a_score_is_the_part_of_ratios_that_would_stay_within_the_tolerance():
    """Errors of 1, 2, ... 1000 where 1000 was expected: with 100 expected and 5 allowed the ratio
    0.05 is passed by 95 %.
    """
    known = calibration.fit(np.arange(1, 1001.0), np.full(1000, 1000.0))
    assert known.mean == pytest.approx(0.5005) and known.points == 1000
    assert known.scores(np.array([100.0]), 5.0)[0] == pytest.approx(0.05, abs=0.002)
    assert known.scores(np.array([5.0]), 5.0)[0] == 1001 / 1002
    assert np.isnan(known.scores(np.array([np.nan]), 5.0)[0])
    assert known.expected(np.array([10.0]))[0] == pytest.approx(5.005)


def test_scores_fall_as_the_expected_error_grows():
    known = calibration.fit(np.random.default_rng(0).exponential(size=500), np.ones(500))
    scores = known.scores(np.linspace(0.01, 20, 50), 1.0)
    assert (np.diff(scores) <= 0).all() and scores[0] == 501 / 502 and scores[-1] < 0.1


def test_a_few_faces_do_not_make_a_score_of_1():
    """Three faces, all exact: 4 of 5, as if one more had been right and one wrong."""
    errors = np.linspace(0.1, 1, 60).reshape(3, 20)
    known = calibration.fit(errors, np.ones((3, 20)))
    assert (known.points, known.faces, known.highest) == (60, 3, 0.8)
    assert known.scores(np.array([1e-3, 1.0]), 5.0).tolist() == [0.8, 0.8]
    # A face without labels tells nothing.
    errors[0] = np.nan
    assert calibration.fit(errors, np.ones((3, 20))).faces == 2
    # Files of before do not say how many faces there were.
    assert replace(known, faces=None).scores(np.array([1e-3]), 5.0).tolist() == [1.0]


def test_too_few_points_are_refused():
    with pytest.raises(
        DataError, match=r"calibrated on labelled validation points; 3 are too few \(at least 30\)"
    ):
        calibration.fit(np.array([1.0, 2, 3, np.nan]), np.ones(4))


def predicted(count=400, honest=True):
    """Faces, and predictions whose errors are as large as expected, or three times as large."""
    faces, rng = toy.draw(count, seed=2), np.random.default_rng(1)
    spread = rng.uniform(0.3, 4, faces.points.shape[:2])
    apart = rng.exponential(spread * (1 if honest else 3))[..., None]
    way = rng.normal(size=faces.points.shape)
    points = faces.points + apart * way / np.linalg.norm(way, axis=-1, keepdims=True)
    known = calibration.fit(rng.exponential(size=5000), np.ones(5000))
    points = points.astype(np.float32)
    scores = known.scores(
        spread / face_sizes(points, faces.images, faces.boxes)[:, None], TOLERANCE
    )
    return faces, Predictions(
        scheme=faces.scheme,
        ids=faces.ids,
        points=points,
        scores=scores.astype(np.float32),
        expected=known.expected(spread).astype(np.float32),
    )


@pytest.mark.slow
def test_honest_scores_are_calibrated_and_overconfident_ones_are_not():
    honest, overconfident = (reliability(*predicted(honest=way)) for way in (True, False))
    assert honest.gap < 0.02 and honest.error == pytest.approx(honest.expected, rel=0.05)
    assert overconfident.gap > 0.15 and overconfident.error > 2 * overconfident.expected
    assert 0.3 < honest.ranking < 1 and sum(part.points for part in honest.bins) == 400 * 15
    assert all(part.low <= part.score <= part.high for part in honest.bins)


def test_predictions_without_scores_have_no_reliability():
    faces, predictions = predicted(20)
    assert reliability(faces, replace(predictions, scores=None)) is None


def test_labels_of_a_part_of_the_face_measure_by_the_size_of_the_whole():
    faces, predictions = predicted(200)
    inner = faces.scheme.points[:11]  # without the mouth: their box is less high
    eyes = Scheme(name="eyes", points=inner, mirror=(), norm=faces.scheme.norm)
    found = evaluate(predictions, faces.to(eyes)).reliability
    hidden = faces.points.copy()
    hidden[:, faces.scheme.index(set(faces.scheme.points) - set(inner))] = np.nan
    assert found == evaluate(predictions, replace(faces, points=hidden)).reliability
    assert found.gap < 0.03


def test_a_result_carries_reliability_in_whatever_order_predictions_come(tmp_path):
    faces, predictions = predicted(60)
    backwards = replace(
        predictions,
        ids=predictions.ids[::-1],
        points=predictions.points[::-1],
        scores=predictions.scores[::-1],
        expected=predictions.expected[::-1],
    )
    direct, turned = evaluate(predictions, faces), evaluate(backwards, faces)
    assert direct.reliability == turned.reliability and "reliability" in direct.to_json()
    from nasion.evaluation import report

    page = report.write(direct, tmp_path, title="toy").read_text()
    assert "<h2>Confidence</h2>" in page and "By score" in page
    without = report.write(
        evaluate(replace(predictions, scores=None), faces), tmp_path, title="toy"
    ).read_text()
    assert "<h2>Confidence</h2>" not in without


def test_a_calibration_is_read_back_and_a_damaged_one_named(tmp_path):
    assert calibration.read(tmp_path) is None
    known = calibration.fit(np.arange(1, 101.0), np.ones(100))
    calibration.write(known, tmp_path)
    assert calibration.read(tmp_path) == known
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(
        RunError,
        match=r"calibration\.json: it has no 'ratios' and is empty; .*predictions have no scores",
    ):
        calibration.read(tmp_path)
