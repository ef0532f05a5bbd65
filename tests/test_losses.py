"""Losses: worked cases, and a contract over all that is discovered."""

import inspect

import numpy as np
import pytest
import torch

from nasion.errors import SettingError
from nasion.models import losses

OWN = {
    name: part
    for name, part in vars(losses).items()
    if getattr(part, "__module__", "") == losses.__name__ and name != "masked_mean"
}
# Functions as they are, classes with their settings at the defaults; likelihoods want a scale
# beside each point.
LIKELIHOODS = {
    name: part()
    for name, part in OWN.items()
    if inspect.isclass(part) and name.endswith("Likelihood")
}
LOSSES = {
    name: part() if inspect.isclass(part) else part
    for name, part in OWN.items()
    if name not in LIKELIHOODS
}
KINDS = pytest.mark.parametrize("kind", ["numpy", "torch"])


def as_kind(array, kind):
    """As float32 of NumPy, or as a tensor."""
    array = np.asarray(array, np.float32)
    return torch.from_numpy(array) if kind == "torch" else array


@KINDS
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_zero_at_the_truth_and_positive_elsewhere(name, kind):
    truth = as_kind([[1.0, 0.0, 0.4]], kind)
    assert abs(LOSSES[name](truth, truth)).max() == 0
    assert (LOSSES[name](truth + 0.5, truth) > 0).all() and LOSSES[name](
        truth, truth
    ).shape == truth.shape


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_gives_an_unlabelled_point_exactly_no_gradient(name):
    output = torch.tensor([[1.0, 5.0, 2.0, 7.0]], requires_grad=True)
    target = torch.tensor([[0.0, float("nan"), 4.0, float("nan")]])
    mean, count = losses.masked_mean(LOSSES[name], output, target)
    mean.backward()
    assert count == 2 and torch.isfinite(mean)
    assert output.grad[0, [1, 3]].tolist() == [0, 0] and (output.grad[0, [0, 2]] != 0).all()


@KINDS
def test_the_squared_error_of_one_and_three_with_a_label_missing_is_five(kind):
    mean, count = losses.masked_mean(
        losses.squared_error, as_kind([1.0, 3.0, 9.0], kind), as_kind([0.0, 0.0, np.nan], kind)
    )
    assert (mean.item(), count.item()) == (5, 2)


@KINDS
@pytest.mark.parametrize(
    ("loss", "total", "slopes"),
    [
        (losses.squared_error, 0.25 + 9 + 4, [[1, -6], [0, 4]]),
        (losses.huber, 0.125 + 2.5 + 1.5, [[0.5, -1], [0, 1]]),
    ],
)
def test_errors_of_a_half_of_three_and_of_two_with_a_label_missing_are_as_by_hand(
    loss, total, slopes, kind
):
    output, target = as_kind([[0.5, -3], [9, 7]], kind), as_kind([[0, 0], [np.nan, 5]], kind)
    if kind == "torch":
        output.requires_grad_()
    mean, count = losses.masked_mean(loss, output, target)
    assert (mean.item(), count.item()) == (pytest.approx(total / 3), 3)
    if kind == "torch":
        mean.backward()
        np.testing.assert_allclose(output.grad, np.array(slopes) / 3, rtol=1e-6)


@KINDS
def test_the_huber_loss_is_the_one_of_pytorch(kind):
    output = np.linspace(-4, 4, 33).astype(np.float32)
    expected = torch.nn.functional.huber_loss(
        torch.from_numpy(output), torch.zeros(33), reduction="none"
    )
    np.testing.assert_allclose(
        losses.huber(as_kind(output, kind), as_kind(np.zeros(33), kind)), expected, rtol=1e-6
    )


@KINDS
def test_a_batch_without_any_label_has_loss_zero_and_a_zero_gradient(kind):
    output = as_kind(np.ones(4), kind)
    if kind == "torch":
        output.requires_grad_()
    mean, count = losses.masked_mean(
        losses.squared_error, output, as_kind(np.full(4, np.nan), kind)
    )
    assert (mean.item(), count.item()) == (0, 0)
    if kind == "torch":
        mean.backward()
        assert output.grad.tolist() == [0] * 4


@KINDS
def test_an_infinite_output_is_not_hidden(kind):
    mean, _ = losses.masked_mean(losses.squared_error, as_kind([np.inf], kind), as_kind([0], kind))
    assert np.isinf(mean.item())


@KINDS
def test_wing_and_adaptive_wing_are_as_by_hand(kind):
    far = as_kind([0.5, 3.0, 20.0], kind)
    zero = as_kind([0.0, 0.0, 0.0], kind)
    # w 10, epsilon 2: 10 ln 1.25, 10 ln 2.5, 20 - (10 - 10 ln 6).
    np.testing.assert_allclose(
        losses.Wing()(far, zero),
        [10 * np.log(1.25), 10 * np.log(2.5), 10 + 10 * np.log(6)],
        rtol=1e-5,
    )
    # Target 1 (a peak): 14 ln(1 + 0.25 ** 1.1). Target 0: 14 ln(1 + 0.25 ** 2.1).
    found = losses.AdaptiveWing()(as_kind([0.75, 0.25], kind), as_kind([1.0, 0.0], kind))
    np.testing.assert_allclose(
        found, [14 * np.log1p(0.25**1.1), 14 * np.log1p(0.25**2.1)], rtol=1e-5
    )


def test_wing_and_adaptive_wing_join_their_parts_without_a_step_in_value_or_slope():
    for loss, end, target in (
        (losses.Wing(), 10.0, 0.0),
        (losses.AdaptiveWing(), 0.5, 0.3),
        (losses.AdaptiveWing(), 0.5, 1.0),
    ):
        places = np.array([end - 2e-4, end - 1e-4, end + 1e-4, end + 2e-4]) + target
        values = loss(places, np.full(4, target))
        assert abs(values[2] - values[1]) < 0.02
        if isinstance(loss, losses.AdaptiveWing):  # Wing has a corner there, as published
            slopes = np.diff(values) / np.diff(places)
            assert slopes[0] == pytest.approx(slopes[2], rel=0.01)


def test_adaptive_wing_has_a_finite_gradient_where_it_is_zero():
    output = torch.tensor([0.0, 1.0], requires_grad=True)
    losses.AdaptiveWing()(output, torch.tensor([0.0, 1.0])).sum().backward()
    assert torch.isfinite(output.grad).all()


@KINDS
def test_likelihoods_of_an_error_of_two_with_scale_e_are_as_by_hand(kind):
    output, target = as_kind([[[2.0, 0.0, 1.0]]], kind), as_kind([[[0.0, 0.0]]], kind)
    laplace, gauss = losses.LaplaceLikelihood(), losses.GaussianLikelihood()
    np.testing.assert_allclose(
        laplace(output, target)[0, 0], [2 / np.e + 1 + np.log(2), 1 + np.log(2)], rtol=1e-6
    )
    half = np.log(2 * np.pi) / 2
    np.testing.assert_allclose(
        gauss(output, target)[0, 0], [2 / np.e**2 + 1 + half, 1 + half], rtol=1e-6
    )
    for loss in (laplace, gauss):
        mean, count = losses.masked_mean(loss, output, as_kind([[[np.nan, np.nan]]], kind))
        assert (mean.item(), count.item()) == (0, 0)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_every_likelihood_is_best_at_the_truth_with_a_scale_as_large_as_the_error(name):
    loss, target = LIKELIHOODS[name], np.zeros((1, 1, 2))
    places = [loss(np.array([[[x, x, 0.3]]]), target).sum() for x in (-1.0, -0.1, 0.0, 0.1, 1.0)]
    assert min(places) == places[2]
    scales = np.linspace(-1, 2, 301)
    values = [loss(np.array([[[2.0, 2.0, scale]]]), target).sum() for scale in scales]
    assert scales[int(np.argmin(values))] == pytest.approx(np.log(2), abs=0.011)
    output = torch.tensor([[[1.0, 5.0, 0.2], [3.0, 1.0, 0.1]]], requires_grad=True)
    truth = torch.tensor([[[0.0, 0.0], [float("nan"), float("nan")]]])
    losses.masked_mean(loss, output, truth)[0].backward()
    assert (output.grad[0, 1] == 0).all() and (output.grad[0, 0] != 0).all()


@KINDS
def test_a_guided_likelihood_adds_the_divergence_of_the_weights_as_by_hand(kind):
    """Weights 0.5, 0.5 where 1, 0 was asked for: ln 2.

    The place is right and its scale is 1, so ln 2 for both x and y.
    """
    output = as_kind([[[3.0, 4.0, 0.0, np.log(0.5), np.log(0.5)], [0, 0, 0, 0, 0]]], kind)
    target = as_kind([[[3.0, 4.0, 1.0, 0.0], [np.nan] * 4]], kind)
    mean, _ = losses.masked_mean(losses.GuidedLikelihood(share=0.25), output, target)
    assert mean.item() == pytest.approx(np.log(2) + 0.25 * np.log(2), rel=1e-6)
    exact = as_kind([[[3.0, 4.0, 0.0, 0.0, -20.0], [0, 0, 0, 0, 0]]], kind)
    assert losses.masked_mean(losses.GuidedLikelihood(), exact, target)[0].item() == pytest.approx(
        np.log(2), rel=1e-6
    )


def test_a_likelihood_at_even_one_gives_sure_and_unsure_points_the_same_pull():
    for kind in (losses.LaplaceLikelihood, losses.GaussianLikelihood):
        pulls = {}
        for even in (0.0, 1.0):
            output = torch.tensor([[[1.0, 1.0, 0.0], [1.0, 1.0, 2.0]]], requires_grad=True)
            kind(even)(output, torch.zeros(1, 2, 2)).sum().backward()
            pulls[even] = output.grad[0, :, 0]
        assert (
            pulls[1.0][0] == pytest.approx(float(pulls[1.0][1]))
            and pulls[0.0][0] > 5 * pulls[0.0][1]
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.Wing(width=0), r"loss\.width and loss\.curvature"),
        (lambda: losses.LaplaceLikelihood(even=2), r"loss\.even must be 0 to 1; found 2"),
        (lambda: losses.AdaptiveWing(alpha=1), r"alpha above 1"),
        (lambda: losses.GuidedLikelihood(share=-1), r"loss\.share must be 0 or more; found -1"),
        (lambda: losses.GuidedLikelihood(even=2), r"loss\.even must be 0 to 1; found 2"),
    ],
)
def test_settings_of_losses_that_make_no_sense_are_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()
