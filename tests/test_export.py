"""Exporting: a file is kept only if it agrees with the run, or the old one stays."""

import re
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

import nasion
from nasion.errors import MissingExtra, RunError, SettingError
from nasion.inference.backends.pytorch import TorchNetwork
from nasion.inference.export import export_model
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
