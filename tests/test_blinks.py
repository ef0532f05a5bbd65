"""Blinks drawn by hand into the openness of an eye."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nasion
from nasion import find_blinks

BLINKS = (1.3, 4.0, 4.9, 9.25)  # seconds of the lowest openness


def clip(rate=30.0, blinks=BLINKS, length=12.0, half=0.12, level=0.35, noise=0.0, seed=0):
    """(openness, seconds): eyes close to a tenth in ``half`` seconds and open as fast."""
    seconds = np.arange(0, length, 1 / rate)
    openness = np.ones_like(seconds)
    for middle in blinks:
        openness -= 0.9 * np.clip(1 - np.abs(seconds - middle) / half, 0, 1)
    rng = np.random.default_rng(seed)
    return level * openness + noise * rng.normal(size=len(seconds)), seconds


@pytest.mark.parametrize("rate", [12, 25, 30, 60, 240])
@pytest.mark.parametrize("level", [0.1, 0.35, 5.0])
def test_blinks_are_found_at_any_frame_rate_and_in_any_unit(rate, level):
    found = find_blinks(*clip(rate, level=level))
    assert [blink.lowest for blink in found] == pytest.approx(BLINKS, abs=0.6 / rate)
    for blink, middle in zip(found, BLINKS, strict=True):
        # A blink has 80 % of the level at 2/9 of its way down.
        assert blink.start == pytest.approx(middle - 0.12 * 7 / 9, abs=0.4 / rate)
        assert blink.end == pytest.approx(middle + 0.12 * 7 / 9, abs=0.4 / rate)
        assert blink.seconds == pytest.approx(blink.end - blink.start)
        assert blink.openness < 0.5


def test_a_blink_by_hand():
    openness = [1, 1, 1, 0.6, 0.1, 0.4, 1, 1, 1]
    (blink,) = find_blinks(np.array(openness), np.arange(9) / 10)
    # 0.8 is crossed half way from 1 to 0.6, and two thirds of the way from 0.4 to 1.
    assert blink.start == pytest.approx(0.25) and blink.end == pytest.approx(0.5 + 0.2 / 3)
    assert blink.lowest == pytest.approx(0.4) and blink.openness == pytest.approx(0.1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 0.02))
def test_missing_frames_and_noise_neither_hide_nor_make_blinks(seed, noise):
    openness, seconds = clip(noise=noise, seed=seed)
    rng = np.random.default_rng(seed)
    lost = rng.uniform(size=len(openness)) < 0.15
    # Of a run of lost frames one is kept, so that no gap is longer than two.
    lost[1:] &= ~lost[:-1]
    marked = openness.copy()
    marked[lost] = np.nan
    for values, times in ((marked, seconds), (openness[~lost], seconds[~lost])):
        found = find_blinks(values, times)
        assert [blink.lowest for blink in found] == pytest.approx(BLINKS, abs=0.08)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 0.025))
def test_noise_alone_is_no_blink(seed, noise):
    assert find_blinks(*clip(blinks=(), noise=noise, seed=seed)) == ()


def test_strong_noise_makes_hardly_any_blinks():
    """Of a seventh of the level, so that frames often lie below the threshold by chance."""
    clips = [clip(blinks=(), length=60, noise=0.05, seed=seed) for seed in range(10)]
    assert sum((openness < 0.55 * 0.35).sum() for openness, _ in clips) > 10
    assert sum(len(find_blinks(*each)) for each in clips) <= 1


def test_slow_changes_and_closed_eyes_are_no_blinks():
    openness, seconds = clip(blinks=(6.0,))
    slowly = openness * (1 + 0.4 * np.sin(seconds / 2))
    assert len(find_blinks(slowly, seconds)) == 1
    asleep = openness.copy()
    asleep[(seconds > 2) & (seconds < 4)] = 0.01
    assert [blink.lowest for blink in find_blinks(asleep, seconds)] == pytest.approx(
        [6.0], abs=0.02
    )
    assert len(find_blinks(asleep, seconds, longest=3)) == 2


def test_long_sleep_with_noise_has_no_blinks():
    openness, seconds = clip(length=120, blinks=(5.0,))
    rng = np.random.default_rng(0)
    at = (seconds > 20) & (seconds < 50)
    openness[at] = 0.03 * np.abs(rng.normal(size=at.sum()))
    assert len(find_blinks(openness, seconds)) == 1


def test_a_dip_at_a_gap_or_at_the_ends_is_not_judged():
    openness, seconds = clip(blinks=(0.02, 5.0, 8.0))
    gap = (seconds > 4.9) & (seconds < 5.4)
    openness[gap] = np.nan
    assert [blink.lowest for blink in find_blinks(openness, seconds)] == pytest.approx(
        [8.0], abs=0.02
    )


def test_clips_without_values_have_no_blinks():
    for count in (0, 1, 2, 50):
        assert find_blinks(np.full(count, np.nan), np.arange(count) * 1.0) == ()
    assert find_blinks(np.zeros(50), np.arange(50) / 25) == ()


def test_a_time_far_from_all_others_takes_no_memory_and_changes_no_blink():
    openness, seconds = [0.3, 0.3, 0.1, 0.3, 0.3], [0, 0.04, 0.08, 0.12, 0.16]
    (blink,) = find_blinks(openness, seconds)
    for last in (1e10, 1e300):
        assert find_blinks([*openness, 0.3], [*seconds, last]) == (blink,)


@pytest.mark.parametrize(
    ("openness", "seconds", "message"),
    [
        ([1, 1, 1], [0, 1], r"\(3,\).*\(2,\).*one time for each"),
        ([1, 1, 1], [0, 1, 1], r"seconds\[2\] is 1"),
        ([1, 1, 1], [0, np.nan, 1], r"seconds\[1\] is nan"),
    ],
)
def test_wrong_times_are_refused(openness, seconds, message):
    with pytest.raises(nasion.SettingError, match=message):
        find_blinks(np.array(openness, float), np.array(seconds, float))
