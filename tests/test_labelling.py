"""In which order faces are labelled, and what a correction says about the other points."""

import numpy as np
import pytest

from nasion.data.suspects import Suspect
from nasion.labelling.order import by_correction, by_doubt, mixed, shape_features, typical_first
from nasion.labelling.refit import refit

ROW = np.stack([np.linspace(0, 100, 11), np.full(11, 50.0)], axis=1)
ROW[0, 1] = 0  # the face is as high as wide


def test_a_correction_moves_near_points_more_than_far_ones():
    placed = np.full_like(ROW, np.nan)
    placed[5] = ROW[5] + [0, 8]
    moved = refit(ROW, placed) - ROW
    assert moved[5].tolist() == [0, 8]
    assert 0 < moved[3, 1] < moved[4, 1] < 8 / 2 + 1e-9
    assert abs(moved[10, 1]) < 0.01
    assert np.abs(moved[:, 0]).max() < 1e-9


def test_half_of_a_correction_is_believed_of_a_point_at_the_same_place():
    proposed = np.array([[0.0, 0], [0, 0], [100, 100]])
    placed = np.array([[4.0, 0], [np.nan, np.nan], [np.nan, np.nan]])
    assert refit(proposed, placed)[1].tolist() == [2, 0]


def test_an_unsure_point_takes_more_of_a_correction():
    placed = np.full_like(ROW, np.nan)
    placed[5] = ROW[5] + [0, 8]
    expected = np.ones(11)
    expected[4] = 2.0
    moved = refit(ROW, placed, expected) - ROW
    assert moved[4, 1] == pytest.approx(2 * moved[6, 1])


def test_points_without_a_proposal_stay_missing_unless_placed():
    proposed, placed = ROW.copy(), np.full_like(ROW, np.nan)
    proposed[[2, 3]] = np.nan
    placed[3] = [1, 2]
    found = refit(proposed, placed)
    assert np.isnan(found[2]).all() and found[3].tolist() == [1, 2]
    assert np.array_equal(np.delete(found, [2, 3], 0), np.delete(ROW, [2, 3], 0))


def test_refit_is_the_same_on_an_enlarged_and_moved_face():
    placed = np.full_like(ROW, np.nan)
    placed[[2, 7]] = ROW[[2, 7]] + [[3, 1], [-2, 4]]
    assert np.allclose(refit(ROW * 3 + 40, placed * 3 + 40), refit(ROW, placed) * 3 + 40)


def _suspect(face, chance, distance):
    return Suspect(
        face, "single points", chance, ("a", "b"), (chance, 0.0), ((0, 0), (10, 10)),
        ((distance, 0), (10, 10)),
    )  # fmt: skip


def test_a_large_likely_correction_comes_before_a_small_sure_one():
    suspects = [_suspect("small", 1.0, 0.5), _suspect("large", 0.8, 6), _suspect("no", 0.02, 9)]
    assert by_correction(suspects) == [1, 0, 2]


def test_unknown_doubt_comes_last_and_equal_doubt_in_order():
    assert by_doubt(np.array([0.1, np.nan, 0.5, 0.5])) == [2, 3, 0, 1]


def test_shapes_are_the_same_wherever_the_face_is_and_however_large():
    shape = np.random.default_rng(0).normal(size=(1, 5, 2))
    other = np.random.default_rng(1).normal(size=(1, 5, 2))
    features = shape_features(np.concatenate([shape, shape * 7 + 3, other]))
    assert np.allclose(features[0], features[1]) and not np.allclose(features[0], features[2])


def test_the_first_typical_faces_are_of_every_group():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [20, 0], [0, 20], [20, 20]])
    features = np.concatenate([c + rng.normal(size=(25, 2)) for c in centres])
    chosen = typical_first(features, 12)
    assert len(set(chosen)) == 12
    assert sorted({i // 25 for i in chosen[:4]}) == [0, 1, 2, 3]


def test_more_typical_faces_than_there_are_gives_all():
    assert sorted(typical_first(np.arange(6.0)[:, None], 10)) == list(range(6))


def test_the_mixed_order_has_each_face_once_and_half_of_them_doubtful():
    rng = np.random.default_rng(3)
    features, doubt = rng.normal(size=(200, 3)), rng.random(200)
    order = mixed(features, doubt, rng, labelled=[4, 5])
    assert sorted(order) == [i for i in range(200) if i not in (4, 5)]
    doubtful = [i for k, i in enumerate(order[:40]) if k % 4 in (0, 1)]
    others = [i for k, i in enumerate(order[:40]) if k % 4 in (2, 3)]
    assert doubt[doubtful].mean() > doubt[others].mean() + 0.2
