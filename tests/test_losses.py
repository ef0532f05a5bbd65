"""Losses and codecs: worked cases, and a contract over all that is discovered."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasion import codecs, losses
from nasion.schemes import fkd15

LOSSES = {name: f for name, f in inspect.getmembers(losses, inspect.isfunction) if f.__module__ == "nasion.losses" and name != "masked_mean"}
CODECS = {
    f"{name}-{unit}": kind(unit=unit)
    for name, kind in inspect.getmembers(codecs, inspect.isclass)
    if kind.__module__ == "nasion.codecs"
    for unit in ("pixels", "relative")
}
KINDS = pytest.mark.parametrize("kind", ["numpy", "torch"])


def as_kind(array, kind):
    """As float32 of NumPy, or as a tensor."""
    array = np.asarray(array, np.float32)
    return torch.from_numpy(array) if kind == "torch" else array


@KINDS
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_zero_at_the_truth_and_positive_elsewhere(name, kind):
    truth = as_kind([[1.0, -2.0, 3.0]], kind)
    assert abs(LOSSES[name](truth, truth)).max() == 0
    assert (LOSSES[name](truth + 0.5, truth) > 0).all() and LOSSES[name](truth, truth).shape == truth.shape


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
    mean, count = losses.masked_mean(losses.squared_error, as_kind([1.0, 3.0, 9.0], kind), as_kind([0.0, 0.0, np.nan], kind))
    assert (mean.item(), count.item()) == (5, 2)


@KINDS
def test_the_absolute_error_of_one_and_three_is_two(kind):
    assert losses.masked_mean(losses.absolute_error, as_kind([1.0, -3.0], kind), as_kind([0, 0], kind))[0] == 2


@KINDS
@pytest.mark.parametrize(
    ("loss", "total", "slopes"),
    [
        (losses.squared_error, 0.25 + 9 + 4, [[1, -6], [0, 4]]),
        (losses.absolute_error, 0.5 + 3 + 2, [[1, -1], [0, 1]]),
        (losses.huber, 0.125 + 2.5 + 1.5, [[0.5, -1], [0, 1]]),
    ],
)
def test_errors_of_a_half_of_three_and_of_two_with_a_label_missing_are_as_by_hand(loss, total, slopes, kind):
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
    expected = torch.nn.functional.huber_loss(torch.from_numpy(output), torch.zeros(33), reduction="none")
    np.testing.assert_allclose(losses.huber(as_kind(output, kind), as_kind(np.zeros(33), kind)), expected, rtol=1e-6)


@KINDS
def test_a_batch_without_any_label_has_loss_zero_and_a_zero_gradient(kind):
    output = as_kind(np.ones(4), kind)
    if kind == "torch":
        output.requires_grad_()
    mean, count = losses.masked_mean(losses.squared_error, output, as_kind(np.full(4, np.nan), kind))
    assert (mean.item(), count.item()) == (0, 0)
    if kind == "torch":
        mean.backward()
        assert output.grad.tolist() == [0] * 4


@KINDS
def test_an_infinite_output_is_not_hidden(kind):
    mean, _ = losses.masked_mean(losses.squared_error, as_kind([np.inf], kind), as_kind([0], kind))
    assert np.isinf(mean.item())


@KINDS
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@settings(deadline=None, max_examples=25)
@given(width=st.integers(8, 300), height=st.integers(8, 300), seed=st.integers(0, 99))
def test_every_codec_decodes_what_it_encodes_and_missing_stays_missing(kind, codec, width, height, seed):
    points = np.random.default_rng(seed).uniform(size=(3, 15, 2)) * [width, height] - 0.5
    points[1, 4] = np.nan
    target = codec.encode(as_kind(points, kind), (width, height))
    assert target.shape == (3, codec.outputs(fkd15))
    back = codec.decode(target, (width, height))
    np.testing.assert_allclose(back, points, atol=1e-3)
    assert np.isnan(np.asarray(back)).sum() == 2 and back.dtype == target.dtype == as_kind(points, kind).dtype


@KINDS
def test_relative_coordinates_run_from_edge_to_edge(kind):
    edges = as_kind([[[-0.5, -0.5], [95.5, 47.5]]], kind)
    assert codecs.Coordinates(unit="relative").encode(edges, (96, 48)).tolist() == [[0, 0, 1, 1]]
