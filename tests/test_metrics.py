"""Metrics: each formula once by hand, and what they skip."""

import numpy as np
import pytest

from nasion.errors import SettingError
from nasion.landmarks import metrics
from nasion.landmarks.scheme import Scheme

EYES = Scheme(
    name="eyes",
    points=("left", "right", "tip"),
    mirror=(("left", "right"),),
    norm=(("right",), ("left",)),
)
TRUTH = np.array(
    [[[10.0, 0.0], [0.0, 0.0], [5.0, 5.0]], [[20.0, 0.0], [0.0, 0.0], [np.nan, np.nan]]]
)
NAN = float("nan")


def test_a_two_pixel_error_between_eyes_ten_apart_is_a_fifth():
    apart = metrics.distances(TRUTH, TRUTH + [0, 2])
    assert metrics.face_nme(apart, metrics.norms(EYES, TRUTH, None))[0] == pytest.approx(0.2)


def test_an_unlabelled_point_counts_for_nothing():
    predicted = TRUTH.copy()
    predicted[1, 2] = [1000, 1000]
    predicted[1, 0, 0] += 4
    apart = metrics.distances(TRUTH, predicted)
    assert np.isnan(apart[1, 2]) and metrics.face_nme(apart, metrics.norms(EYES, TRUTH, None))[
        1
    ] == pytest.approx(4 / 2 / 20)


def test_pooled_rmse_is_over_values_not_over_faces():
    truth = np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [NAN, NAN]]])
    predicted = np.array([[[3.0, 0.0], [0.0, 0.0]], [[0.0, 3.0], [9.0, 9.0]]])
    assert metrics.rmse(truth, predicted) == (pytest.approx(np.sqrt(18 / 6)), 6)


def test_the_box_norm_is_the_root_of_its_area():
    assert metrics.norms(EYES, TRUTH, np.array([[0.0, 0, 4, 9], [0, 0, 1, 1]]), "box").tolist() == [
        6,
        1,
    ]
    with pytest.raises(SettingError, match="needs boxes"):
        metrics.norms(EYES, TRUTH, None, "box")


def test_a_face_whose_norm_points_are_missing_has_no_nme():
    truth = TRUTH.copy()
    truth[0, 1] = NAN
    norm = metrics.norms(EYES, truth, None)
    assert np.isnan(norm[0]) and np.isnan(
        metrics.face_nme(metrics.distances(truth, truth), norm)[0]
    )


def test_failures_are_strictly_above_the_threshold():
    assert metrics.failure_rate(np.array([0.05, 0.08, 0.09, NAN]), 0.08) == (
        pytest.approx(1 / 3),
        3,
    )


def test_the_area_under_two_steps():
    # Errors 2 and 6 of 8: the curve is 0 up to 2, a half up to 6, 1 up to 8: (4 * 0.5 + 2) / 8.
    assert metrics.auc(np.array([0.02, 0.06]), 0.08).value == pytest.approx(0.5)
    assert (
        metrics.auc(np.array([0.0]), 0.08).value == 1
        and metrics.auc(np.array([0.2]), 0.08).value == 0
    )


def test_percentiles_run_linearly_between_faces():
    faces = np.array([0.1, 0.2, NAN, 0.3, 0.4, 0.5])
    assert metrics.percentile(faces, 50) == (pytest.approx(0.3), 5)
    assert metrics.percentile(faces, 90).value == pytest.approx(
        np.percentile(faces[~np.isnan(faces)], 90)
    )


def test_a_face_without_prediction_is_a_failure_but_not_in_the_mean():
    predicted = TRUTH.copy()
    predicted[0] = NAN
    apart = metrics.distances(TRUTH, predicted)
    faces = metrics.face_nme(apart, metrics.norms(EYES, TRUTH, None))
    assert faces[0] == np.inf and metrics.nme(faces) == (0, 1)
    assert metrics.failure_rate(faces, 0.1).value == 0.5 and metrics.auc(faces, 0.1).value == 0.5
    assert metrics.percentile(faces, 99).value == np.inf
    assert metrics.rmse(TRUTH, predicted).count == 4


def test_a_measure_of_no_points_is_nan_with_count_zero():
    assert metrics.nme(np.array([NAN])).count == 0 and np.isnan(metrics.nme(np.array([NAN])).value)
    assert np.isnan(metrics.percentile(np.array([]), 50).value)


def test_the_cumulative_curve_rises_to_one():
    errors, share = metrics.cumulative_errors(np.array([0.3, NAN, 0.1]))
    assert errors.tolist() == [0.1, 0.3] and share.tolist() == [0.5, 1]


def test_the_mean_absolute_error_of_3_and_1_pixels_is_2():
    truth = np.array([[[10.0, 10], [np.nan, np.nan]]])
    assert metrics.mae(truth, truth + [3, -1]) == (2.0, 2)


def test_6_pixels_of_a_640_wide_and_480_high_image_are_an_80th_and_a_hundredth():
    truth = np.array([[[100.0, 100.0]], [[np.nan, np.nan]]])
    found = metrics.relative_mse(truth, truth + [8.0, 4.8], np.array([[640, 480], [10, 10]]))
    assert found.value == pytest.approx(((1 / 80) ** 2 + (1 / 100) ** 2) / 2) and found.count == 2
    assert np.isnan(metrics.relative_mse(truth, truth, np.full((2, 2), np.nan)).value)
