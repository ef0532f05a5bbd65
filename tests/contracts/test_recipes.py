"""Every recipe runs an epoch, saves, loads and predicts the same; every architecture trains and keeps its promises."""

import ast
import importlib.util
import inspect
import json
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import nasion
from nasion import models, recipes, run
from nasion.datasets import toy
from nasion.experiment import train
from nasion.models.resnet import _convolved

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURES = {
    f"{module.name}.{name}": part
    for module in iter_modules(models.__path__)
    for name, part in inspect.getmembers(import_module(f"nasion.models.{module.name}"), inspect.isclass)
    if part.__module__ == f"nasion.models.{module.name}" and hasattr(part, "build")
}


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_runs_an_epoch_saves_loads_and_predicts_the_same(name, tmp_path):
    recipe = replace(recipes.module(name).RECIPE, epochs=1, batch_size=8)
    faces = toy.draw(24, recipe.scheme, seed=2, size=max(recipe.input_size))
    done = train(recipe, (faces[:16], faces[16:]), run_folder=tmp_path / "run")
    model = nasion.load_model(done.folder)
    found = model.predict(faces[16:])
    assert found.points.shape == (8, len(recipe.scheme), 2) and np.isfinite(found.points).all()
    assert recipe.score(faces[16:].points, found.points).value == pytest.approx(done.state.history[0]["val"], rel=1e-6)
    direct = model(faces[16:].images)
    np.testing.assert_array_equal(direct.points, found.points)
    assert direct.ids == tuple(map(str, range(8)))
    assert run.recipe_of(done.folder) == recipe


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_file_is_short_and_says_source_and_command(name):
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
        body = torch.nn.Sequential(torch.nn.Conv2d(in_chans, 6, 3, 2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        body.num_features = 6
        return body

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))


@pytest.mark.usefixtures("timm_there")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_the_outputs_asked_for_and_all_weights_learn(name):
    network = ARCHITECTURES[name]().build(10, (96, 96), 1)
    output = network(torch.rand(4, 1, 96, 96))
    assert output.shape == (4, 10) and network.get_submodule("head").bias.shape == (10,)
    output.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(2, 1, 96, 96)).dtype == torch.float32


@pytest.mark.parametrize(("kernel", "parameters"), [(3, 11_206_622), (7, 11_207_902)])
def test_the_published_residual_network_has_the_published_number_of_parameters(kernel, parameters):
    network = replace(recipes.module("fkd_resnet").RECIPE.model, stem_kernel=kernel, stem_stride=1).build(30)
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
            output = _convolved(layer, given)
            output.sin().sum().backward()
            found.append([output, given.grad, layer.weight.grad.clone(), layer.bias.grad.clone()])
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
