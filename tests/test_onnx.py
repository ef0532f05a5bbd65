"""Exported files as networks: as accurate as the run; other files are refused."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from helpers import changed

import nasion
from nasion.data.annotators import SeparateHeads
from nasion.data.datasets import ibug68 as reader
from nasion.data.datasets import toy
from nasion.errors import RunError, SettingError
from nasion.inference import pretrained
from nasion.inference.export import export_model, with_calibration_of
from nasion.inference.predictor import load_model
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors
from nasion.models.losses import LaplaceLikelihood
from nasion.recipes.toy_demo import RECIPE
from nasion.training.train import train

pytestmark = pytest.mark.slow

SMALL = changed(
    RECIPE,
    input_size=(64, 64),
    architecture=Pyramid(widths=(8, 16, 16), blocks=(0, 1, 0), neck=16),
    codec=Anchors(8),
    loss=LaplaceLikelihood(),
    start_at_mean=False,
    epochs=4,
    batch_size=16,
    square=True,
    box_scale=1.2,
    refine_steps=2,
    separate_heads=(SeparateHeads("other", ("nose_tip",)),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    faces = toy.draw(150, seed=1)
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(SMALL, (faces[:120], faces[120:]), run_folder=folder)
    return folder


@pytest.mark.parametrize(("numbers", "near"), [("float32", 0.02), ("float16", 0.1), ("int8", 2.0)])
def test_a_file_predicts_and_scores_as_its_run_does_in_each_kind_of_numbers(
    folder, tmp_path, numbers, near
):
    model, faces, path = load_model(folder), toy.draw(40, seed=5), tmp_path / "model.onnx"
    export_model(model, path, numbers, faces)
    alone = load_model(path)
    # Runs may compute in bfloat16, files never do.
    exact = replace(model, network=model.network.in_float32()).predict(faces)
    found = alone.predict(faces)
    assert alone.spec.scheme == SMALL.spec.scheme and (
        alone.spec.refine_steps,
        alone.spec.square,
        alone.spec.box_scale,
    ) == (2, True, 1.2)
    assert np.abs(found.points - exact.points).mean() < near
    assert (
        np.abs(found.scores - exact.scores).mean() < (0.1 if numbers == "int8" else 0.02)
        and alone.calibration is not None
    )
    sizes = {kind: path.stat().st_size for kind in (numbers,)}
    if numbers != "float32":
        export_model(model, tmp_path / "whole.onnx")
        assert sizes[numbers] < (tmp_path / "whole.onnx").stat().st_size


def test_a_run_that_has_learnt_all_faces_takes_the_scores_of_the_one_that_held_some_out(
    folder, tmp_path, monkeypatch
):
    from nasion.app import cli

    faces = toy.draw(150, seed=1)
    whole = train(
        changed(SMALL, epochs=1, hold_out=False),
        (faces[:120], faces[120:]),
        run_folder=tmp_path / "whole",
    ).folder
    assert load_model(whole).calibration is None
    monkeypatch.setattr(
        "sys.argv",
        ["nasion", "export", str(whole), str(tmp_path / "m.onnx"), "--scores-of", str(folder)],
    )
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert not done.value.code
    assert load_model(tmp_path / "m.onnx").calibration == load_model(folder).calibration
    for what, warns in ((whole, True), (tmp_path / "m.onnx", True), (folder, False)):
        result = nasion.evaluate(what, faces[120:])
        assert ("All these 30 faces" in result.warning) == warns == ("warning" in result.to_json())
    with pytest.raises(
        SettingError, match="from a run of the same network and points that held faces out"
    ):
        with_calibration_of(load_model(folder), folder, whole)


def test_int8_without_faces_and_other_numbers_for_keras_files_are_refused(folder, tmp_path):
    with pytest.raises(SettingError, match=r"int8 needs faces .* \(--data DIR\)"):
        export_model(load_model(folder), tmp_path / "model.onnx", "int8")
    with pytest.raises(SettingError, match=r"only \.onnx files can have float16 weights"):
        export_model(load_model(folder), tmp_path / "model.keras", "float16")
    assert not list(tmp_path.iterdir())


def test_the_command_evaluates_8_bits_before_and_after_and_writes_down_the_licence(
    folder, tmp_path, monkeypatch, capsys
):
    from nasion.app import cli

    def said(*words):
        monkeypatch.setattr(
            "sys.argv", ["nasion", "export", str(folder), str(tmp_path / "m.onnx"), *words]
        )
        with pytest.raises(SystemExit) as done:
            cli.main()
        captured = capsys.readouterr()
        return done.value.code, " ".join((captured.out + captured.err).split())

    code, text = said("--int8", "--data", "toy:60", "--licence", "for research")
    assert not code and "before it was quantized" in text
    assert re.search(
        (
            r"On \d+ validation faces the run has RMSE [\d.]+ pixels, NME [\d.]+ %; the file RMSE "
            r"[\d.]+ pixels, NME [\d.]+ %"
        ),
        text,
    )
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert (
        facts["licence"] == "for research"
        and facts["codec"].startswith("Anchors(")
        and facts["scheme"] == "fkd15"
    )
    assert said("--int8", "--fp16") == (
        1,
        "nasion: --fp16 and --int8 exclude each other; choose one.",
    )
    assert "int8 needs faces" in said("--int8")[1]


def test_a_file_that_is_no_exported_network_is_refused_with_the_reason(folder, tmp_path):
    with pytest.raises(RunError, match=r"nothing\.onnx: no such file"):
        load_model(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(RunError, match=r"text\.onnx is not a network that ONNX Runtime can read"):
        load_model(tmp_path / "text.onnx")
    path = tmp_path / "model.onnx"
    export_model(load_model(folder), path)
    graph = onnx.load(path)
    for item in graph.metadata_props:
        if item.key == "nasion_format":
            item.value = "99"
    onnx.save(graph, path)
    with pytest.raises(
        RunError,
        match=(
            r"was written by nasion .*, not in a format that nasion .* reads; export the run "
            r"again"
        ),
    ):
        load_model(path)


def test_an_exported_network_refuses_inspection_and_another_export(folder, tmp_path):
    export_model(load_model(folder), tmp_path / "model.onnx")
    network = load_model(tmp_path / "model.onnx").network
    for call in (
        network.first_filters,
        lambda: network.first_responses(np.zeros((1, 1, 64, 64), np.float32)),
        lambda: network.export(tmp_path / "x"),
    ):
        with pytest.raises(RunError, match="exported"):
            call()


def test_names_that_do_not_come_with_the_package_are_refused():
    with pytest.raises(SettingError, match="No model 'face69' comes with this package"):
        pretrained.card("face69")
    assert pretrained.file("face69") is None


@pytest.mark.parametrize("name", pretrained.names())
def test_every_network_that_comes_with_the_package_has_a_card_and_predicts_without_torch(name):
    card = pretrained.card(name)
    for heading in ("Data", "Licence", "Accuracy", "Weaknesses", "Made by"):
        assert f"## {heading}" in card, heading
    assert len(pretrained.headline(name)) > 20
    faces = toy.draw(4, nasion.scheme_named("ibug68"), seed=3, size=160)
    boxes = np.concatenate([np.nanmin(faces.points, 1), np.nanmax(faces.points, 1)], 1)
    model = load_model(name)
    found = model(faces.images, boxes)
    assert (
        found.points.shape == (4, 68, 2)
        and found.scores.shape == (4, 68)
        and np.isfinite(found.points).all()
    )
    # Drawn faces are not what it knows, but a face is a face.
    assert np.abs(found.points - faces.points).mean() < 12


def test_the_networks_together_are_at_most_12_megabytes():
    assert sum(pretrained.file(name).stat().st_size for name in pretrained.names()) <= 12e6


def test_the_command_lists_the_networks_and_shows_a_card(monkeypatch, capsys):
    from nasion.app import cli

    for words, expected in ((["models"], "face68_light"), (["models", "face68"], "## Weaknesses")):
        monkeypatch.setattr("sys.argv", ["nasion", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code in (0, None) and expected in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["nasion", "models", "face69"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1 and "there are face68, face68_light" in " ".join(
        capsys.readouterr().err.split()
    )


def test_test_time_augmentation_that_does_not_exist_is_refused(monkeypatch, capsys):
    from nasion.app import cli

    words = ["evaluate", "face68", "--data", "toy:60", "--tta", "twice"]
    monkeypatch.setattr("sys.argv", ["nasion", *words])
    with pytest.raises(SystemExit) as done:
        cli.main()
    text = capsys.readouterr().err
    assert done.value.code and "twice" in text and "flip+shift" in text


def test_a_file_carries_its_tta_mode_and_an_argument_overrides_it(folder, tmp_path):
    export_model(load_model(folder, tta="flip"), tmp_path / "flip.onnx")
    faces = toy.draw(3, load_model(folder).spec.scheme, seed=5, size=64)
    said = {
        average: load_model(tmp_path / "flip.onnx", tta=average).predict(faces).points
        for average in (None, "flip", "none")
    }
    np.testing.assert_array_equal(said[None], said["flip"])
    assert (said["none"] != said["flip"]).any()
    np.testing.assert_allclose(
        said["none"], load_model(folder, tta="none").predict(faces).points, atol=0.3
    )


@pytest.mark.parametrize("name", pretrained.names())
def test_a_shipped_network_computes_every_convolution_in_8_bits(name):
    import onnx

    nodes = onnx.load(pretrained.file(name)).graph.node
    made_by = {out: node.op_type for node in nodes for out in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert len(convolutions) > 5 and all(
        made_by[node.input[0]] == "DequantizeLinear" for node in convolutions
    )


def test_a_shipped_network_evaluates_predicts_and_draws_without_any_training_framework(tmp_path):
    """As an installation without the training extras would have it: any import of a framework
    fails.
    """
    reader.write(
        replace(
            toy.draw(30, nasion.scheme_named("ibug68"), seed=1, size=160),
            ids=tuple(f"a/{i}.png" for i in range(30)),
        ),
        tmp_path / "data",
    )
    absent = ("torch", "lightning_fabric", "keras", "tensorflow", "jax", "tensorboard", "onnx")
    blocked = (
        f"import sys; sys.modules |= dict.fromkeys({absent}); import nasion.app.cli; "
        f"nasion.app.cli.main()"
    )
    judge = [
        "evaluate",
        "face68_light",
        "--data",
        "data",
        "--split",
        "all",
        "--tta",
        "flip",
        "--json",
        "scores.json",
    ]
    for words in (judge, ["predict", "data/a/0.png", "--box", "30,30,130,140"]):
        done = subprocess.run(
            [sys.executable, "-c", blocked, *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["nme"] < 15 and 0 <= scores["reliability"]["gap"] <= 1
    assert (tmp_path / "predictions" / "0-points.jpg").is_file()
