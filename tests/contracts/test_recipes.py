"""Every recipe runs an epoch, saves, loads and predicts the same.

Every architecture trains and keeps its promises.
"""

import ast
import importlib.util
import inspect
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from helpers import changed, cut

import nasion
from nasion import recipes
from nasion.data.datasets import toy
from nasion.discovery import ARCHITECTURES, RECIPES
from nasion.inference import run_folder
from nasion.inference.backends.keras import KerasNetwork, build_model
from nasion.inference.backends.pytorch import TorchNetwork
from nasion.inference.export import export_model
from nasion.inference.predictor import Predictor
from nasion.landmarks import geometry, metrics
from nasion.models import keras_backend
from nasion.models.architectures.resnet import _convolve
from nasion.models.codecs import Anchors, Coordinates, Heatmaps
from nasion.models.losses import LaplaceLikelihood, squared_error
from nasion.recipes import load_recipe
from nasion.training.train import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {
    f"{name}.{part.__name__}": part
    for name in ARCHITECTURES.names()
    for part in vars(ARCHITECTURES.load(name)).values()
    if inspect.isclass(part)
    and part.__module__ == ARCHITECTURES.load(name).__name__
    and hasattr(part, "build")
}


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_runs_an_epoch_saves_loads_and_predicts_the_same(name, tmp_path):
    whole = load_recipe(name)
    recipe = replace(
        whole,
        epochs=1,
        batch_size=8,
        second_phase=whole.second_phase and replace(whole.second_phase, epochs=1),
    )
    # Enough validation points to calibrate on.
    faces = toy.draw(
        16 + (8 if len(recipe.spec.scheme) > 4 or not recipe.spec.codec.stride else 32),
        recipe.spec.scheme,
        seed=2,
        size=max(recipe.spec.input_size),
    )
    done = train(recipe, (faces[:16], faces[16:]), run_folder=tmp_path / "run")
    model = nasion.load_model(done.folder)
    found = model.predict(faces[16:])
    assert (
        found.points.shape == (len(faces) - 16, len(recipe.spec.scheme), 2)
        and np.isfinite(found.points).all()
    )
    once = (
        replace(model, tta="none", spec=replace(model.spec, refine_steps=1))
        .predict(faces[16:])
        .points
    )  # as training validates
    # The weights of the one epoch, or those that it started from.
    assert metrics.rmse(faces[16:].points, once).value == pytest.approx(done.state.best, rel=1e-6)
    if recipe.spec.codec.stride:
        assert found.scores.shape == found.expected.shape == found.points.shape[:2]
        assert ((found.scores >= 0) & (found.scores <= 1)).all() and (found.expected > 0).all()
    direct = model(faces[16:].images)
    np.testing.assert_array_equal(direct.points, found.points)
    assert direct.ids == tuple(map(str, range(len(faces) - 16)))
    assert run_folder.read_recipe(done.folder) == recipe


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_file_is_short_and_states_source_and_command(name):
    path = Path(recipes.__path__[0]) / f"{name}.py"
    text = path.read_text()
    lines = text.splitlines()
    header = ast.get_docstring(ast.parse(text))
    assert 20 <= len(lines) <= 50, len(lines)
    assert re.search(r"^Source: ", header, re.M) and re.search(r"Command: nasion ", header)
    if name != "toy_demo":
        for word in ("Time: ", "Reached: ", "Differences: "):
            assert re.search(f"^{word}", header, re.M), word
        results = json.loads((ROOT / "results" / f"{name}.json").read_text())
        assert {"command", "commit", "machine", "data", "seconds", "runs"} <= results.keys()


@pytest.fixture
def timm_there(monkeypatch):
    """A stand-in for timm where it is not installed: a body with the interface that nasion uses."""
    if importlib.util.find_spec("timm"):
        return

    def create_model(name, *, pretrained, in_chans, num_classes):
        if name != "resnet18" or num_classes != 0:
            raise RuntimeError(f"Unknown model ({name})")
        body = torch.nn.Sequential(
            torch.nn.Conv2d(in_chans, 6, 3, 2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        )
        body.num_features = 6
        return body

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))


@pytest.mark.usefixtures("timm_there")
@pytest.mark.parametrize(
    "name", [name for name, part in CLASSES.items() if not hasattr(part, "framework")]
)
def test_every_pytorch_architecture_has_the_requested_outputs_and_all_weights_learn(name):
    network = CLASSES[name]().build(10, (96, 96), 1)
    output = network(torch.rand(4, 1, 96, 96))
    stride = getattr(CLASSES[name](), "stride", None)
    maps = (96 // stride, 96 // stride) if stride else ()
    assert output.shape == (4, 10, *maps) and network.get_submodule("head").bias.shape == (10,)
    output.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(2, 1, 96, 96)).dtype == torch.float32


@pytest.mark.parametrize(
    "name", [name for name, part in CLASSES.items() if hasattr(part, "framework")]
)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_every_keras_architecture_has_the_requested_outputs_and_all_weights_learn(name, policy):
    recipe = changed(load_recipe("fkd_cnn"), architecture=CLASSES[name]())
    model = build_model(recipe, policy)
    assert model.get_layer("head").bias.shape == (30,) and {
        weight.dtype for weight in model.weights
    } == {"float32"}
    pictures = np.random.default_rng(0).uniform(size=(8, 96, 96, 1)).astype(np.float32)
    said = model.predict_on_batch(pictures)
    assert said.shape == (8, 30) and said.dtype == np.float32
    before = model.get_weights()
    model.compile(optimizer="adam", loss="mse")
    model.train_on_batch(pictures, np.ones((8, 30)))
    assert all(
        (a != b).any() and np.isfinite(b).all()
        for a, b in zip(before, model.get_weights(), strict=True)
    )


@pytest.mark.usefixtures("timm_there")
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", CLASSES)
def test_every_architecture_is_exported_and_the_file_alone_predicts_the_same(
    name, number, tmp_path
):
    """From pixel values 0 ..

    255 to points in pixels, whatever the recipe's pixel range and codec are.
    """
    stride = getattr(CLASSES[name](), "stride", None)
    of_maps = (Anchors(stride), Heatmaps(stride)) if stride else ()
    codec = (of_maps or (Coordinates("pixels"), Coordinates("relative")))[number]
    recipe = changed(
        load_recipe("imm_nose_khwaja"),
        architecture=CLASSES[name](),
        codec=codec,
        loss=LaplaceLikelihood() if isinstance(codec, Anchors) else squared_error,
        input_size=(64, 48) if not stride else (64, 32),
        pixel_range=(-0.5, 0.5),
    )
    width, height = recipe.spec.input_size
    if recipe.framework == "keras":
        network = KerasNetwork(build_model(recipe), recipe.spec)
    else:
        network = TorchNetwork(recipe.build_network().eval(), recipe.spec, torch.device("cpu"))
    model = Predictor(recipe.spec, network)
    faces = toy.draw(3, recipe.spec.scheme, seed=1, size=64)
    expected = Predictor(recipe.spec, network.in_float32()).predict(faces).points
    canvas = cut(faces, recipe)
    for ending in (".onnx", ".keras") if recipe.framework == "keras" else (".onnx",):
        path = tmp_path / f"model{ending}"
        assert export_model(model, path) < 1e-3
        assert [item.name for item in tmp_path.iterdir()] == [path.name]
        pictures = canvas.images.astype(np.float32)
        if ending == ".onnx":
            session = onnxruntime.InferenceSession(path)
            found = session.run(None, {"images": pictures})[0]
            facts = session.get_modelmeta().custom_metadata_map
            assert (
                facts["scheme"] == recipe.spec.scheme.name
                and f"(faces, 1, {height}, {width})" in facts["input"]
                and "pixel centres" in facts["output"]
            )
        else:
            found = (
                keras_backend.keras()
                .saving.load_model(path)
                .predict_on_batch(np.moveaxis(pictures, 1, -1))
            )
        back = geometry.apply(canvas.to_source, found.astype(np.float64))
        np.testing.assert_allclose(back, expected, atol=2e-3)
        path.unlink()


@pytest.mark.parametrize(("kernel", "parameters"), [(3, 11_206_622), (7, 11_207_902)])
def test_the_published_residual_network_has_the_published_number_of_parameters(kernel, parameters):
    network = replace(
        load_recipe("fkd_resnet").architecture, stem_kernel=kernel, stem_stride=1
    ).build(30)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_a_convolution_as_a_matrix_product_gives_the_same_values_and_gradients():
    torch.manual_seed(0)
    for side, stride in ((2, 1), (3, 1), (3, 2), (5, 2), (6, 1)):
        layer = torch.nn.Conv2d(8, 12, 3, stride, 1)
        x = torch.randn(4, 8, side, side)
        found = []
        for mode in (True, False):
            layer.train(mode)
            given = x.clone().requires_grad_()
            layer.zero_grad()
            output = _convolve(layer, given)
            output.sin().sum().backward()
            found.append([output, given.grad, layer.weight.grad.clone(), layer.bias.grad.clone()])
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
