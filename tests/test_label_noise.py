"""The distribution of labels around predicted points."""

import numpy as np
import pytest

from nasion.audit.label_noise import fit_noise


@pytest.fixture(scope="module")
def values():
    """Four correlated coordinates with tails of a t distribution, a fifth of them missing."""
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=(3000, 4)) @ np.array(
        [[1, 0.8, 0, 0], [0, 0.6, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]
    )
    drawn = mixed / np.sqrt(rng.chisquare(5, size=(3000, 1)) / 5) + [1, 0, 0, -2]
    drawn[rng.random(drawn.shape) < 0.2] = np.nan
    return drawn


def test_mean_scatter_and_tails_are_found_from_values_of_which_some_are_missing(values):
    noise = fit_noise(values)
    np.testing.assert_allclose(noise.mean, [1, 0, 0, -2], atol=0.1)
    np.testing.assert_allclose(np.diag(noise.scatter), [1, 1, 4, 1], rtol=0.15)
    assert noise.scatter[0, 1] == pytest.approx(0.8, abs=0.12)
    assert noise.freedom in (3.0, 5.0, 8.0)


def test_gross_outliers_hardly_move_the_fit(values):
    noise, worse = fit_noise(values), values.copy()
    worse[:60] = 50
    # Two per cent at 50 would move a mean by 1 and a variance by 50.
    np.testing.assert_allclose(fit_noise(worse).mean, noise.mean, atol=0.15)
    assert fit_noise(worse).scatter[0, 0] < 2


def test_the_density_of_all_values_is_1_and_of_no_value_too():
    noise = fit_noise(np.random.default_rng(0).normal(size=(400, 2)))
    grid = np.stack(np.meshgrid(*[np.arange(-30, 30, 0.1)] * 2), axis=-1).reshape(-1, 2)
    assert np.exp(noise.log_density(grid)).sum() * 0.1**2 == pytest.approx(1, abs=0.01)
    assert noise.log_density(np.full((1, 2), np.nan)) == [0]


def test_one_value_has_the_density_of_the_marginal_distribution():
    noise = fit_noise(np.random.default_rng(0).normal(size=(400, 2)))
    second = np.arange(-200, 200, 0.05)
    both = np.stack([np.full_like(second, 0.5), second], axis=1)
    alone = noise.log_density(np.array([[0.5, np.nan]]))
    assert np.exp(noise.log_density(both)).sum() * 0.05 == pytest.approx(np.exp(alone[0]), rel=0.01)
