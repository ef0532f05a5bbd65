"""Exporting: a file is kept only if it agrees with the run, or the old one stays."""

import re
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

import nasion
from nasion.data.datasets import toy
from nasion.errors import MissingExtra, RunError, SettingError
from nasion.inference.backends.onnx import OnnxNetwork
from nasion.inference.backends.pytorch import TorchNetwork
from nasion.inference.calibration import _QUANTILES, Calibration
from nasion.inference.export import export_model
from nasion.inference.predictor import Predictor
from nasion.landmarks.catalog import fkd15
from nasion.model_spec import ModelSpec
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors, Coordinates, Heatmaps
from nasion.training.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small PyTorch run, trained in bfloat16 where the processor has it."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(
        "toy_demo",
        "toy:60",
        run_folder=folder,
        changes=["epochs=1", "architecture.widths=8,16", "batch_size=16"],
    )
    return folder


def test_the_command_prints_file_size_and_difference_from_the_run(
    folder, tmp_path, capsys, monkeypatch
):
    from nasion.app import cli

    path = tmp_path / "new folder" / "model.onnx"
    monkeypatch.setattr("sys.argv", ["nasion", "export", str(folder), str(path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = " ".join(capsys.readouterr().out.split())
    assert end.value.code in (0, None) and re.search(
        r"model\.onnx: 0\.\d MB; .* by at most [\d.e-]+ pixels \(32 images\)", said
    ), said
    assert onnxruntime.InferenceSession(path).get_outputs()[0].shape[1:] == [15, 2]


def test_a_file_holds_no_paths_of_the_machine_that_made_it(folder, tmp_path):
    path = tmp_path / "model.onnx"
    export_model(nasion.load_model(folder), path)
    assert b"site-packages" not in path.read_bytes() and b".py" not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.pt", r"ending in \.onnx or \.keras expected"),
        ("model.keras", "only Keras networks have that format"),
        ("folder.onnx", "is a folder"),
    ],
)
def test_an_unwritable_output_is_refused(name, message, folder, tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(SettingError, match=message):
        export_model(nasion.load_model(folder), tmp_path / name)
    assert [item.name for item in tmp_path.iterdir()] == ["folder.onnx"]


def test_a_file_that_differs_from_the_run_is_not_kept(folder, tmp_path, monkeypatch):
    model, path = nasion.load_model(folder), tmp_path / "model.onnx"
    path.write_bytes(b"an older file")

    class Off(TorchNetwork):
        def in_float32(self):
            return lambda pictures: super(Off, self).__call__(pictures) + 0.1

    network = Off(model.network.module, model.spec, model.network.device)
    with pytest.raises(
        RunError, match=r"differs from the run by 6\.\d+ pixels; 0\.05 are allowed.*was not written"
    ):
        export_model(replace(model, network=network), path)
    assert path.read_bytes() == b"an older file" and len(list(tmp_path.iterdir())) == 1


def pyramid(codec, log_scales):
    """A network with random weights whose learnt scales have about these logarithms."""
    torch.manual_seed(0)
    architecture = Pyramid(widths=(8, 8, 16), blocks=(0, 1, 1), stride=8, neck=16)
    spec = ModelSpec(scheme=fkd15, input_size=(64, 64), codec=codec)
    module = architecture.build(spec.outputs, spec.input_size, 1).eval()
    if log_scales is not None:
        with torch.no_grad():
            module.get_parameter("head.bias")[3 * len(fkd15) :] = log_scales
    known = Calibration(tuple(np.linspace(0, 0.05, len(_QUANTILES)).tolist()), 1.0, 1000, 100)
    return Predictor(spec, TorchNetwork(module, spec, torch.device("cpu")), known)


@pytest.mark.parametrize(
    ("codec", "log_scales"),
    [(Anchors(stride=8), torch.linspace(-5, 2.9, 15)), (Heatmaps(stride=8), None)],
)
def test_a_file_expects_the_errors_that_its_run_expects_however_large(codec, log_scales, tmp_path):
    """Up to e^2.9 cells of 8 pixels, and of a heatmap without a peak more."""
    model, faces = pyramid(codec, log_scales), toy.draw(3, fkd15, seed=2, size=64)
    export_model(model, tmp_path / "model.onnx")
    run, file = model.predict(faces), nasion.load_model(tmp_path / "model.onnx").predict(faces)
    factor = model.calibration.expected(np.ones(1))[0]
    assert run.expected.max() > 100 * factor
    np.testing.assert_allclose(file.expected, run.expected, rtol=1e-3)
    np.testing.assert_allclose(file.scores, run.scores, atol=1e-4)
    assert run.scores.max() > 4 * run.scores.min()


def test_a_file_that_expects_other_errors_than_the_run_is_not_kept(tmp_path, monkeypatch):
    model = pyramid(Anchors(stride=8), torch.zeros(15))
    sigma = Coordinates.sigma
    monkeypatch.setattr(Coordinates, "sigma", lambda self, *given: sigma(self, *given) * 1.1)
    with pytest.raises(
        RunError, match=r"expects differ from the run's by 10\.\d%; 5% are allowed.*was not written"
    ):
        export_model(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_the_runtime_cannot_run_is_not_kept(folder, tmp_path, monkeypatch):
    def fails(self, images):
        raise RuntimeError("[ONNXRuntimeError] : 2 : Expand node failed")

    monkeypatch.setattr(OnnxNetwork, "__call__", fails)
    with pytest.raises(
        RunError,
        match=r"cannot run .* on 32 faces \(.*Expand node failed\)\. .*model\.onnx was not written"
        r"; .*choose others, or other versions of the packages",
    ):
        export_model(nasion.load_model(folder), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_line_that_installs_it_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"pip install 'nasion\[export\]'"):
        export_model(nasion.load_model(folder), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_file_alone_takes_any_number_of_faces(folder, tmp_path):
    export_model(nasion.load_model(folder), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    size = [int(side) for side in session.get_inputs()[0].shape[1:]]
    pictures = np.random.default_rng(0).uniform(0, 255, (5, *size)).astype(np.float32)
    together = session.run(None, {"images": pictures})[0]
    alone = np.concatenate(
        [session.run(None, {"images": pictures[i : i + 1]})[0] for i in range(5)]
    )
    np.testing.assert_allclose(together, alone, atol=1e-3)
