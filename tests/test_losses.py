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


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_zero_at_the_truth_and_positive_elsewhere(name):
    truth = torch.tensor([[1.0, -2.0, 3.0]])
    assert LOSSES[name](truth, truth).abs().max() == 0
    assert (LOSSES[name](truth + 0.5, truth) > 0).all() and LOSSES[name](truth, truth).shape == truth.shape


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_gives_an_unlabelled_point_exactly_no_gradient(name):
    output = torch.tensor([[1.0, 5.0, 2.0, 7.0]], requires_grad=True)
    target = torch.tensor([[0.0, float("nan"), 4.0, float("nan")]])
    mean, count = losses.masked_mean(LOSSES[name], output, target)
    mean.backward()
    assert count == 2 and torch.isfinite(mean)
    assert output.grad[0, [1, 3]].tolist() == [0, 0] and (output.grad[0, [0, 2]] != 0).all()


def test_the_squared_error_of_one_and_three_with_a_label_missing_is_five():
    mean, count = losses.masked_mean(losses.squared_error, torch.tensor([1.0, 3.0, 9.0]), torch.tensor([0.0, 0.0, float("nan")]))
    assert (mean.item(), count.item()) == (5, 2)


def test_the_absolute_error_of_one_and_three_is_two():
    assert losses.masked_mean(losses.absolute_error, torch.tensor([1.0, -3.0]), torch.zeros(2))[0] == 2


def test_a_batch_without_any_label_has_loss_zero_and_a_zero_gradient():
    output = torch.ones(4, requires_grad=True)
    mean, count = losses.masked_mean(losses.squared_error, output, torch.full((4,), float("nan")))
    mean.backward()
    assert (mean.item(), count.item()) == (0, 0) and output.grad.tolist() == [0] * 4


def test_an_infinite_output_is_not_hidden():
    assert torch.isinf(losses.masked_mean(losses.squared_error, torch.tensor([float("inf")]), torch.zeros(1))[0])


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@settings(deadline=None, max_examples=25)
@given(width=st.integers(8, 300), height=st.integers(8, 300), seed=st.integers(0, 99))
def test_every_codec_decodes_what_it_encodes_and_missing_stays_missing(codec, width, height, seed):
    points = torch.rand(3, 15, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor([width, height]) - 0.5
    points[1, 4] = float("nan")
    target = codec.encode(points, (width, height))
    assert target.shape == (3, codec.outputs(fkd15))
    back = codec.decode(target, (width, height))
    np.testing.assert_allclose(back.numpy(), points.numpy(), atol=1e-3)
    assert torch.isnan(back).sum() == 2


def test_relative_coordinates_run_from_edge_to_edge():
    edges = torch.tensor([[[-0.5, -0.5], [95.5, 47.5]]])
    assert codecs.Coordinates(unit="relative").encode(edges, (96, 48)).tolist() == [[0, 0, 1, 1]]
