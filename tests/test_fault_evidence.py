"""Faults of every kind, planted into labels, are found and named; others are left alone."""

from dataclasses import replace

import numpy as np
import pytest

from nasion.audit.fault_evidence import OTHER, POINTS, SHIFT, SIZE
from nasion.audit.fault_rates import decay_of, fit_faults, part_beyond
from nasion.audit.moved_labels import BACKWARDS, OFF_BY_ONE, PAIR, SIDES, SLID, moved_labels
from nasion.audit.residuals import Residuals, upright, without_habits
from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.contours import contours
from nasion.landmarks.faces import Predictions

FACES, SIZE_PX = 140, 200


@pytest.fixture(scope="module")
def clean():
    """(faces whose labels are off by 1 % of their size, predictions that expect 1 % too)."""
    rng = np.random.default_rng(3)
    faces = toy.draw(FACES, ibug68, size=SIZE_PX, seed=4)
    sides = np.ptp(faces.points, axis=1)
    size = np.sqrt(sides.prod(axis=1))[:, None, None]
    noise = rng.normal(size=faces.points.shape) / np.sqrt(rng.chisquare(6, (FACES, 1, 1)) / 6)
    labelled = replace(faces, points=(faces.points + 0.007 * size * noise).astype(np.float32))
    found = faces.points + 0.007 * size * rng.normal(size=faces.points.shape)
    expected = np.broadcast_to(0.01 * size[..., 0], faces.points.shape[:2])
    predicted = Predictions(
        scheme=ibug68,
        ids=faces.ids,
        points=found.astype(np.float32),
        expected=expected.astype(np.float32),
    )
    return labelled, predicted


def explained(faces, predictions):
    residuals = without_habits(upright(faces, predictions), None)
    return fit_faults(residuals, faces.scheme).explain_all(residuals)


def chain(length):
    return next(np.array(c.points) for c in contours(ibug68) if len(c.points) == length)


def faults():
    """By kind: a change of one face's labels (68, 2), given another face's."""

    def slid(points, _):
        jaw, moved = chain(17), points.copy()
        moved[jaw[3:9]] = points[jaw[4:10]]
        return moved

    def off(points, _):
        ring, moved = chain(8), points.copy()
        moved[ring] = np.roll(points[ring], 1, axis=0)
        return moved

    def backwards(points, _):
        brow, moved = chain(5), points.copy()
        moved[brow] = points[brow[::-1]]
        return moved

    def pair(points, _):
        moved, eye = points.copy(), ibug68.index(["left_eye_outer_corner"])[0]
        other = ibug68.flip[eye]
        moved[[eye, other]] = points[[other, eye]]
        return moved

    def point(points, _):
        moved = points.copy()
        moved[30] += 0.1 * np.ptp(points)
        return moved

    return {
        POINTS: point,
        SHIFT: lambda points, _: points + 0.06 * np.ptp(points),
        SIZE: lambda points, _: points * 0.7,
        SIDES: lambda points, _: points[ibug68.flip],
        PAIR: pair,
        BACKWARDS: backwards,
        OFF_BY_ONE: off,
        SLID: slid,
    }


@pytest.mark.parametrize("kind", faults())
def test_faults_are_found_named_and_located(clean, kind):
    faces, predictions = clean
    points, at = faces.points.copy(), [7, 60, 100]
    for i in at:
        points[i] = faults()[kind](faces.points[i], faces.points[i - 5])
    wrong = (points != faces.points).any(axis=-1)
    found = explained(replace(faces, points=points), predictions)
    suspects = [i for i in range(FACES) if found[i].chance > 0.5]
    assert set(at) <= set(suspects) and len(suspects) <= len(at) + 1
    assert [found[i].kind for i in at] == [kind] * 3
    for i in at:
        np.testing.assert_array_equal(found[i].wrong > 0.5, wrong[i])


def test_labels_of_another_face_are_found(clean):
    faces, predictions = clean
    points = faces.points.copy()
    middles = points.mean(axis=1, keepdims=True)
    # In this face's place, as when rows of a table have slipped.
    points[10] = faces.points[60] - middles[60] + middles[10]
    found = explained(replace(faces, points=points), predictions)
    assert found[10].chance > 0.9 and found[10].kind in (OTHER, SIZE)


def test_sound_labels_are_not_suspected(clean):
    found = explained(*clean)
    assert sum(each.chance for each in found) < 3
    assert sum(each.chance > 0.5 for each in found) <= 1


def test_labels_that_are_missing_are_not_looked_at(clean):
    faces, predictions = clean
    points = faces.points.copy()
    points[::2, 17:36] = np.nan
    points[3] = points[3][ibug68.flip]
    points[4] = points[4][ibug68.flip]
    found = explained(replace(faces, points=points), predictions)
    assert found[3].kind == found[4].kind == SIDES
    assert found[4].chance > 0.99 and not found[4].wrong[17:36].any()


def test_a_source_whose_labels_always_lie_elsewhere_is_not_a_fault(clean):
    faces, predictions = clean
    points = faces.points.copy()
    points[:60, 30] += 12
    sources = ("a",) * 60 + ("b",) * 80
    residuals = without_habits(upright(replace(faces, points=points), predictions), sources)
    found = fit_faults(residuals, ibug68).explain_all(residuals)
    assert sum(each.chance > 0.5 for each in found) <= 1


def test_moves_of_a_chain_of_four_by_hand():
    from nasion.landmarks.scheme import Scheme

    scheme = Scheme(
        name="line",
        points=("a", "b", "c", "d"),
        mirror=(),
        edges=(("a", "b"), ("b", "c"), ("c", "d")),
    )
    found = [(move.kind, move.place.tolist()) for move in moved_labels(scheme)]
    assert found == [
        (BACKWARDS, [3, 2, 1, 0]),
        (OFF_BY_ONE, [1, 2, 3, -1]),
        (OFF_BY_ONE, [-1, 0, 1, 2]),
        (SLID, [1, 2, 2, 3]),
        (SLID, [0, 0, 1, 3]),
        (SLID, [0, 2, 3, 3]),
        (SLID, [0, 1, 1, 2]),
    ]


@pytest.mark.parametrize("decay", [0.8, 1.4, 2.2])
def test_the_looseness_of_points_is_found_beside_faults(decay):
    rng = np.random.default_rng(5)
    # The distance of a density that falls by `decay` in two dimensions is gamma-distributed.
    loose = rng.gamma(2, 1 / decay, 100_000)
    beyond = loose[loose > 3]
    faults = rng.uniform(6, 8, len(beyond) // 20)
    found = decay_of(float(np.median(np.concatenate([beyond, faults]))))
    assert found == pytest.approx(decay, rel=0.12)
    assert part_beyond(3, decay) == pytest.approx(len(beyond) / len(loose), rel=0.1)


def test_a_precise_source_is_held_to_its_own_precision():
    rng = np.random.default_rng(6)
    sources = np.repeat(["exact", "usual", "few"], [200, 300, 50])
    spread = np.where(sources == "exact", 0.01, 0.03)[:, None, None]
    predicted = rng.normal(size=(550, 4, 2))
    labels = predicted + spread * rng.normal(size=predicted.shape)
    before = Residuals(labels, predicted, np.full((550, 4), 0.02), np.full(550, 100.0))
    found = without_habits(before, tuple(sources.tolist())).expected
    ratio = found[sources == "usual"] / found[sources == "exact"][:1]
    assert ratio == pytest.approx(3, rel=0.2)
    # Of fewer labels than a hundred it is not known, and of one source nothing is to be compared.
    assert (found[sources == "few"] == 0.02).all()
    assert (without_habits(before, None).expected == 0.02).all()
