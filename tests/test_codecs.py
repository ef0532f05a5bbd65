"""Codecs: targets decode to their points, missing stays missing, for every codec; cases by hand."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasion.errors import SettingError
from nasion.landmarks.catalog import fkd15
from nasion.model_spec import ModelSpec
from nasion.models import codecs

CODECS = {
    f"{name}-{number}": part
    for name, kind in inspect.getmembers(codecs, inspect.isclass)
    if kind.__module__ == codecs.__name__ and name != "Codec"
    for number, part in enumerate(
        [kind(unit=unit, scale=scale) for unit in ("pixels", "relative") for scale in (False, True)]
        if name == "Coordinates"
        else [
            kind(stride=4),
            kind(stride=8),
            *([kind(stride=8, guide=0.7)] if name == "Anchors" else []),
        ]
    )
}
PRECISION = {"Heatmaps": 0.01}  # of the others: the rounding of float32
KINDS = pytest.mark.parametrize("kind", ["numpy", "torch"])


def as_kind(array, kind):
    array = np.asarray(array, np.float32)
    return torch.from_numpy(array) if kind == "torch" else array


@KINDS
@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None, max_examples=25)
@given(width=st.integers(4, 20), height=st.integers(4, 20), seed=st.integers(0, 99))
def test_every_codec_decodes_its_own_targets_and_missing_stays_missing(
    kind, name, width, height, seed
):
    codec, size = CODECS[name], (8 * width, 8 * height)
    points = np.random.default_rng(seed).uniform(size=(3, 15, 2)) * size - 0.5
    points[1, 4] = np.nan
    target = codec.encode(as_kind(points, kind), size)
    back = codec.decode(target, size)
    np.testing.assert_allclose(back, points, atol=PRECISION.get(name.partition("-")[0], 1e-3))
    assert (
        np.isnan(np.asarray(back)).sum() == 2
        and back.dtype == target.dtype == as_kind(points, kind).dtype
    )


@KINDS
@pytest.mark.parametrize("name", CODECS)
def test_every_codec_decodes_raw_network_output(kind, name):
    codec, size = CODECS[name], (64, 48)
    shape = (
        (2, codec.outputs(fkd15))
        if codec.stride is None
        else (2, codec.outputs(fkd15), 48 // codec.stride, 64 // codec.stride)
    )
    output = as_kind(np.random.default_rng(0).normal(size=shape), kind)
    assert codec.decode(output, size).shape == (2, 15, 2)
    spread = codec.sigma(output, size)
    assert spread is None or (spread.shape == (2, 15) and bool((spread > 0).all()))
    target = codec.encode(as_kind(np.full((2, 15, 2), 20.0), kind), size)
    said = codec.activate(output, size)
    # The same shape, or a scale more per point.
    assert said.shape == target.shape or said.shape == (*target.shape[:-1], target.shape[-1] + 1)


@KINDS
def test_relative_coordinates_run_from_edge_to_edge(kind):
    edges = as_kind([[[-0.5, -0.5], [95.5, 47.5]]], kind)
    assert codecs.Coordinates(unit="relative").encode(edges, (96, 48)).tolist() == [[0, 0, 1, 1]]


@KINDS
def test_a_heatmap_peaks_in_the_cell_of_its_point_and_falls_as_a_gaussian(kind):
    """Pixel 17.5 is the centre of cell 4 of stride 4, whose pixels are 16 to 19.

    Sigma 1.5 cells.
    """
    target = codecs.Heatmaps(stride=4, sigma_cells=1.5).encode(
        as_kind([[[17.5, 9.5]]], kind), (40, 32)
    )
    assert target.shape == (1, 1, 8, 10)
    np.testing.assert_allclose(target[0, 0, 2, 4], 1.0, rtol=1e-6)
    np.testing.assert_allclose(target[0, 0, 2, 7], np.exp(-9 / 4.5), rtol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (4, 4), (40, 11)])
def test_a_heatmap_of_fewer_than_three_cells_a_side_is_refused(size):
    codec, cells = codecs.Heatmaps(stride=4), f"{size[0] // 4} x {size[1] // 4}"
    message = rf"{cells} cells on an input of {size[0]},{size[1]} pixels; .* 12 or more a side"
    with pytest.raises(SettingError, match=message):
        ModelSpec(scheme=fkd15, input_size=size, codec=codec)
    with pytest.raises(SettingError, match=message):
        codec.encode(np.ones((1, 15, 2)), size)
    points = np.random.default_rng(0).uniform(1, 10, (3, 15, 2))
    size = ModelSpec(scheme=fkd15, input_size=(12, 12), codec=codec).input_size
    np.testing.assert_allclose(codec.decode(codec.encode(points, size), size), points, atol=0.01)


@KINDS
def test_a_point_up_to_a_cell_beyond_the_edge_is_still_decoded_from_its_heatmap(kind):
    codec, points = codecs.Heatmaps(stride=4), as_kind([[[-4.0, 10.0], [66.0, 50.5]]], kind)
    np.testing.assert_allclose(
        codec.decode(codec.encode(points, (64, 48)), (64, 48)), points, atol=0.02
    )


@KINDS
def test_an_anchor_with_all_the_weight_decides_alone(kind):
    """Stride 8: the centre of cell (2, 1) is pixel 19.5, 11.5.

    The way from there is half a cell to the right, a quarter up.
    """
    maps = np.zeros((1, 4, 1, 4, 5), np.float32)
    maps[0, 0, 0, 1, 2] = 60.0
    maps[0, 1, 0, 1, 2], maps[0, 2, 0, 1, 2], maps[0, 3, 0, 1, 2] = 0.5, -0.25, np.log(0.5)
    output = as_kind(maps.reshape(1, 4, 4, 5), kind)
    codec = codecs.Anchors(stride=8)
    np.testing.assert_allclose(codec.decode(output, (40, 32)), [[[23.5, 9.5]]], atol=1e-4)
    np.testing.assert_allclose(codec.sigma(output, (40, 32)), [[4.0]], rtol=1e-5)


@KINDS
def test_anchors_of_equal_weight_meet_in_their_mean(kind):
    output = as_kind(np.zeros((1, 4, 4, 6)), kind)
    np.testing.assert_allclose(
        codecs.Anchors(stride=8).decode(output, (48, 32)), [[[23.5, 15.5]]], atol=1e-5
    )


@KINDS
def test_a_guide_is_a_gaussian_of_sum_one_also_about_points_beyond_the_edge(kind):
    """Cells of 8 pixels: the point lies in the middle of cell (2, 1), the other far to the left of
    row 1, so in cell (0, 1).
    """
    codec = codecs.Anchors(stride=8, guide=0.5)
    target = np.asarray(codec.encode(as_kind([[[19.5, 11.5], [-100.0, 11.5]]], kind), (40, 32)))[0]
    np.testing.assert_allclose(target[:, 2:].sum(1), 1, rtol=1e-5)
    weights = target[:, 2:].reshape(2, 4, 5)
    assert [np.unravel_index(each.argmax(), each.shape) for each in weights] == [(1, 2), (1, 0)]
    np.testing.assert_allclose(
        weights[0, 1, 3] / weights[0, 1, 2], np.exp(-1 / (2 * 0.25)), rtol=1e-5
    )


def test_without_its_guide_a_codec_decodes_the_same():
    output = np.random.default_rng(0).normal(size=(2, 60, 4, 4)).astype(np.float32)
    codec = codecs.Anchors(stride=8, guide=0.7)
    bare = codec.for_inference()
    assert bare.activate(output, (32, 32)).shape == (2, 15, 3)
    np.testing.assert_allclose(
        bare.decode(output, (32, 32)), codec.decode(output, (32, 32)), atol=1e-5
    )
    np.testing.assert_allclose(
        bare.sigma(output, (32, 32)), codec.sigma(output, (32, 32)), rtol=1e-5
    )


@KINDS
def test_anchors_of_a_linear_head_need_only_its_weights_and_features(kind):
    rng, codec = np.random.default_rng(0), codecs.Anchors(stride=8)
    features, kernel, bias = (
        as_kind(rng.normal(size=shape), kind) for shape in ((2, 6, 4, 5), (60, 6), (60,))
    )
    maps = (
        np.einsum("oc,bchw->bohw", np.asarray(kernel), np.asarray(features))
        + np.asarray(bias)[:, None, None]
    )
    np.testing.assert_allclose(
        codec.activate_linear(features, kernel, bias), codec.activate(maps, (40, 32)), atol=1e-4
    )


def test_a_learnt_scale_is_clipped_to_its_range():
    output = np.array([[0.0, 0.0, 50.0, 0.0, 0.0, -50.0]], np.float32)
    spread = codecs.Coordinates(scale=True).sigma(output, (96, 96))
    np.testing.assert_allclose(spread, [[np.exp(3), np.exp(-4)]], rtol=1e-5)
