"""Smoothing: what is still jitters less, what moves is followed; by hand and on drawn clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasion.errors import SettingError
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro, smooth
from nasion.landmarks.face import VISIBLE

FACE = np.array([[0.0, 0], [100, 0], [50, 60], [20, 110], [80, 110]])
RATE = 30


def filtered(clip, how=DEFAULT_SMOOTHING):
    calm, seen = None, []
    for number, points in enumerate(clip):
        calm = smooth(np.asarray(points, dtype=np.float64), number / RATE, calm, how)
        seen.append(calm.points)
    return np.array(seen)


def test_the_first_frame_and_a_face_that_stands_still_are_as_they_are():
    np.testing.assert_allclose(filtered([FACE] * 5), np.array([FACE] * 5), atol=1e-9)


def test_with_beta_0_a_jump_of_all_points_is_followed_as_a_low_pass_filter_does():
    """Cutoff 1 Hz at 30 frames a second: a share of 2 pi / 30 / (2 pi / 30 + 1) = 0.1732 of what is
    left, each frame.
    """
    seen = filtered([FACE, FACE + [10, 0], FACE + [10, 0]], OneEuro(min_cutoff=1, beta=0))
    share = (2 * np.pi / 30) / (2 * np.pi / 30 + 1)
    np.testing.assert_allclose(
        seen[:, 0, 0], [0, 10 * share, 10 * (1 - (1 - share) ** 2)], atol=1e-9
    )


def test_the_speed_raises_the_cutoff_by_beta_times_its_square():
    """A jump of a tenth of the face's size, derivative cutoff 1 Hz: speed 0.1 * 30 * 0.1732 =
    0.5196 a second, cutoff 1 + 10 * 0.27 Hz.
    """
    seen = filtered([FACE, FACE + [11, 0]], OneEuro(min_cutoff=1, beta=10, derivative_cutoff=1))
    speed = 0.1 * 30 * (2 * np.pi / 30) / (2 * np.pi / 30 + 1)
    turn = 2 * np.pi * (1 + 10 * speed**2) / 30
    np.testing.assert_allclose(seen[1, 0, 0], 11 * turn / (turn + 1), rtol=1e-6)


def test_the_largest_cutoff_passes_everything():
    seen = filtered([FACE, FACE + [11, 0]], OneEuro(min_cutoff=1e308, beta=0))
    np.testing.assert_allclose(seen[1], FACE + [11, 0])


def test_trembling_falls_threefold_and_a_moving_face_lags_less_than_half_a_frame():
    random = np.random.default_rng(0)
    clip = FACE + random.normal(0, 0.3, (90, *FACE.shape)) + random.normal(0, 0.2, (90, 1, 2))
    seen = filtered(clip)
    assert clip[15:].std(0).mean() > 3 * seen[15:].std(0).mean()
    for speed in (0.25, 0.5, 1.0):  # sizes of the face a second
        way = np.arange(60)[:, None, None] / RATE * speed * 110 * np.array([1.0, 0.0])
        lag = ((FACE + way) - filtered(FACE + way))[-1, :, 0].mean() / (speed * 110 / RATE)
        assert 0 <= lag < 0.5, speed


@given(
    st.sampled_from((0, 90, 180, 270)),
    st.floats(0.2, 5),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_clip_seen_turned_enlarged_and_moved_is_smoothed_to_the_same_turned_enlarged_and_moved(
    degrees, factor, move
):
    clip = FACE + np.random.default_rng(1).normal(0, 1, (6, *FACE.shape))
    angle = np.deg2rad(degrees)
    way = factor * np.round([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(
        filtered(clip @ way + move), filtered(clip) @ way + move, atol=1e-6 * factor * 500
    )


def test_a_head_that_turns_round_and_round_is_followed_over_the_half_turn():
    clip = []
    for step in range(80):
        angle = np.deg2rad(9 * step)
        clip.append(
            (FACE - FACE.mean(0))
            @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        )
    assert np.abs(filtered(clip) - clip)[20:].max() < 10


@pytest.mark.parametrize("count", [1, 3])
def test_points_without_extent_are_filtered_by_their_position_in_sides_of_the_box(count):
    """A jump of a tenth of the box, as in the test of the speed above."""
    settings = OneEuro(min_cutoff=1, beta=10, derivative_cutoff=1)
    points = np.full((count, 2), 40.0)
    first = smooth(points, 0.0, None, settings, box_side=110)
    moved = smooth(points + [11, 0], 1 / RATE, first, settings, box_side=200)
    speed = 0.1 * 30 * (2 * np.pi / 30) / (2 * np.pi / 30 + 1)
    turn = 2 * np.pi * (1 + 10 * speed**2) / 30
    np.testing.assert_allclose(moved.points - points, [[11 * turn / (turn + 1), 0]] * count)
    still = smooth(points + [11, 0], 1 / RATE, moved, settings)  # time stands still
    np.testing.assert_allclose(still.points, points + [11, 0])


def test_a_face_whose_points_meet_for_some_frames_keeps_its_size_and_angle():
    turned = FACE @ np.array([[0.0, 1], [-1, 0]])
    point = np.broadcast_to(turned.mean(0), FACE.shape)
    seen = filtered([FACE, *[turned] * 90, *[point] * 90, *[turned] * 90])
    assert np.isfinite(seen).all()
    for frame, points in ((90, turned), (180, point), (270, turned)):
        np.testing.assert_allclose(seen[frame], points, atol=0.5)
    # The other way round: without extent at first.
    seen = filtered([*[point] * 3, *[FACE] * 90])
    np.testing.assert_allclose(seen[2], point, atol=1e-9)
    np.testing.assert_allclose(seen[-1], FACE, atol=0.5)


def test_time_that_stands_still_begins_anew():
    calm = smooth(FACE, 1.0, None, OneEuro())
    np.testing.assert_array_equal(smooth(FACE + 5, 1.0, calm, OneEuro()).points, FACE + 5)


def filtered_chances(clip, how=DEFAULT_SMOOTHING):
    calm, seen = None, []
    for number, visible in enumerate(clip):
        calm = smooth(FACE, number / RATE, calm, how, np.asarray(visible, dtype=np.float32))
        seen.append(calm.visible)
    return np.array(seen)


def switches(chances):
    hidden = chances < VISIBLE
    return int((hidden[1:] != hidden[:-1]).sum())


def test_points_whose_chance_trembles_around_one_half_do_not_flicker():
    rng = np.random.default_rng(0)
    clip = np.clip(rng.normal([0.5, 0.48, 0.52, 0.9, 0.1], 0.06, (90, 5)), 0, 1)
    seen = filtered_chances(clip)
    assert switches(clip) > 60 and switches(seen) <= 3
    np.testing.assert_allclose(seen[15:].mean(0), [0.5, 0.48, 0.52, 0.9, 0.1], atol=0.03)


@pytest.mark.parametrize("frames", [1, 10])
def test_points_that_turn_away_are_hidden_at_once(frames):
    """Within two frames of the first raw chance below one half."""
    chance = np.clip(1 - (np.arange(60) - 20) / frames, 0, 1)
    for clip in (chance, 1 - chance):
        seen = filtered_chances(np.repeat(clip[:, None], 5, axis=1))
        first, late = (np.flatnonzero(np.diff(each < VISIBLE))[0] for each in (clip, seen[:, 0]))
        assert first <= late <= first + 2 and switches(seen) == 5


def test_a_chance_within_the_hysteresis_is_kept_on_the_side_of_its_point():
    """Cutoff 1 Hz and beta 0: a share of 0.1732 of a step each frame, as for points above."""
    share = (2 * np.pi / 30) / (2 * np.pi / 30 + 1)
    seen = filtered_chances([[0.4] * 5, *[[0.6] * 5] * 8], OneEuro(min_cutoff=1, beta=0))[:, 0]
    raw = 0.6 - 0.2 * (1 - share) ** np.arange(9)
    expected = np.where(raw < 0.55, np.minimum(raw, 0.4999), raw)
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert (seen[:8] < VISIBLE).sum() == 8 and raw[4] > VISIBLE and seen[8] > 0.55


def test_without_chances_none_are_made_up():
    assert smooth(FACE, 1.0, None, OneEuro()).visible is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_cutoff": 0}, "min_cutoff is a frequency above 0 Hz, and finite; found 0"),
        ({"beta": -1}, "beta is 0 or more, and finite; found -1"),
        ({"derivative_cutoff": float("inf")}, "derivative_cutoff is a frequency .* found inf"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(SettingError, match=words):
        OneEuro(**settings)
