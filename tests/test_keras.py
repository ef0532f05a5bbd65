"""The Keras loop: phases, callbacks, resuming, missing labels and equal predictions under every
backend that is installed.
"""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from helpers import changed, cut

import nasion
from nasion.data import missing_labels
from nasion.data.augment import Augment
from nasion.data.datasets import toy
from nasion.errors import RunError, SettingError
from nasion.evaluation import submission
from nasion.inference import checkpoint, run_folder
from nasion.inference.export import export_model
from nasion.models import keras_backend
from nasion.models.architectures.keras_cnn import KerasCNN
from nasion.models.optim import SGD, Adam, Phase, Plateau, StepDecay
from nasion.recipes.fkd_cnn import RECIPE
from nasion.training.state import Interrupted
from nasion.training.train import train

if not any(find_spec(name) for name in keras_backend.BACKENDS) or not find_spec("keras"):
    pytest.skip("Keras or all of its backends are not installed", allow_module_level=True)

keras = keras_backend.keras()
from nasion.training import keras_loop  # noqa: E402

pytestmark = pytest.mark.slow

INSTALLED = [name for name in keras_backend.BACKENDS if find_spec(name)]
SMALL = changed(
    RECIPE,
    architecture=KerasCNN(filters=(4, 4, 4), dense=(12,)),
    missing="mask",
    augment=Augment(flip=0.5, rotate=10),
    batch_size=8,
    optim=Adam(lr=1e-3),
    epochs=2,
    second_phase=Phase(optim=SGD(lr=1e-2), epochs=2, schedule=Plateau(factor=0.5, patience=1)),
)


@pytest.fixture(scope="module")
def sides():
    """44 toy faces to learn from, half of their points missing, and 12 to evaluate by."""
    faces = toy.draw(56, seed=3)
    hidden = np.random.default_rng(0).uniform(size=faces.labelled.shape) < 0.5
    return toy.hide_labels(faces, hidden)[:44], faces[44:]


@pytest.fixture(scope="module")
def trained(sides, tmp_path_factory):
    """The folder of a run of SMALL from start to end."""
    return train(SMALL, sides, run_folder=tmp_path_factory.mktemp("runs") / "small").folder


def without_seconds(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def same_checkpoint(a, b):
    one, two = (
        checkpoint.load_tensors(folder / run_folder.CHECKPOINT, "np")[0] for folder in (a, b)
    )
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


class StopAt:
    """Sends the signal of Ctrl-C after so many steps of a run."""

    def __init__(self, step):
        self.left = step

    def step(self, state, faces_per_second):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, state, row):
        pass


def test_the_published_network_has_the_published_number_of_parameters():
    assert RECIPE.build_network().count_params() == 6_758_702


def test_a_second_phase_starts_from_the_best_weights_of_the_first_with_its_own_optimizer(
    trained, sides
):
    history = run_folder.read_history(trained)
    assert [row["phase"] for row in history] == [1, 1, 2, 2] and [
        row["epoch"] for row in history
    ] == [1, 2, 3, 4]
    assert [row["lr"] for row in history[:3]] == pytest.approx([1e-3, 1e-3, 1e-2])
    # So slow that a phase's first epoch must end where the best one of the phase before did, which
    # was not the last.
    still = changed(
        SMALL, epochs=6, optim=Adam(lr=0.3), second_phase=Phase(optim=SGD(lr=1e-12), epochs=1)
    )
    vals = [
        row["val"]
        for row in run_folder.read_history(
            train(still, sides, run_folder=trained.parent / "still").folder
        )
    ]
    assert min(vals[:6]) < vals[5] - 0.1 and vals[6] == pytest.approx(min(vals[:6]), rel=1e-6)


def test_a_run_leaves_history_csv_tensorboard_and_a_model_that_plain_keras_opens(trained, sides):
    rows = list(csv.DictReader((trained / "history.csv").open()))
    history = run_folder.read_history(trained)
    assert [float(row["val"]) for row in rows] == pytest.approx([row["val"] for row in history])
    assert {"loss", "val_loss", "learning_rate", "phase", "seconds"} <= rows[0].keys()
    if find_spec("tensorflow"):
        assert list((trained / "tensorboard").rglob("events*"))
    code = (
        "import sys; sys.modules['nasion'] = None; import keras, numpy as np\n"
        f"model = keras.saving.load_model({str(trained / run_folder.KERAS_WEIGHTS)!r})\n"
        "assert {w.dtype for w in model.weights} == {'float32'}\n"
        "assert model.compute_dtype == 'float32', model.compute_dtype\n"
        "print(model.predict(np.zeros((2, 96, 96, 1)), verbose=0).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": keras_backend.backend()},
    )
    assert done.stdout.split("\n")[-2] == "(2, 30)", done.stderr
    assert run_folder.count_parameters(trained) == SMALL.build_network().count_params()


@pytest.mark.parametrize(
    "step",
    [4, 6, 12, 17],
    ids=["within an epoch", "after an epoch", "after a phase", "in the second phase"],
)
def test_a_stopped_run_goes_on_as_if_it_never_had_been_to_the_last_digit(
    step, trained, sides, tmp_path
):
    with pytest.raises(Interrupted, match="everything is saved"):
        train(SMALL, sides, run_folder=tmp_path, observers=(StopAt(step),))
    train(SMALL, sides, run_folder=tmp_path, resume=True)
    assert without_seconds(run_folder.read_history(tmp_path)) == without_seconds(
        run_folder.read_history(trained)
    )
    assert same_checkpoint(tmp_path, trained)
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    faces = sides[1]
    np.testing.assert_array_equal(
        nasion.load_model(tmp_path).predict(faces).points,
        nasion.load_model(trained).predict(faces).points,
    )


def test_early_stopping_and_the_falling_rate_count_on_after_a_resume(sides, tmp_path):
    # At such a rate nothing changes: the rate halves after each epoch but the first, and patience
    # ends the phase.
    hopeless = changed(
        SMALL,
        epochs=1,
        second_phase=Phase(optim=SGD(lr=1e-12), epochs=9, schedule=Plateau(0.5, 1), patience=3),
    )
    whole = train(hopeless, sides, run_folder=tmp_path / "whole").state
    with pytest.raises(Interrupted):
        train(hopeless, sides, run_folder=tmp_path / "stopped", observers=(StopAt(22),))
    resumed = train(hopeless, sides, run_folder=tmp_path / "stopped", resume=True).state
    assert without_seconds(resumed.history) == without_seconds(whole.history)
    second = [row for row in whole.history if row["phase"] == 2]
    best = min(range(len(second)), key=lambda i: second[i]["val"])
    assert best == 0 and len(second) == 4
    assert [row["lr"] for row in second] == pytest.approx([1e-12, 1e-12, 5e-13, 2.5e-13])
    again = train(hopeless, sides, run_folder=tmp_path / "stopped", resume=True).state
    assert again.history == resumed.history, "a finished run has nothing to go on with"


def test_weight_decay_shrinks_weights_and_spares_biases(sides, tmp_path):
    """At a rate of 0.1 a decay of 0.5 takes 5 % of a weight at each step, whatever its gradient."""
    recipe = changed(SMALL, optim=Adam(lr=0.1, weight_decay=0.5), second_phase=None)
    model = keras_loop.build_model(recipe)
    keras_loop.compile_model(model, recipe, recipe.phases[0])
    before = [variable.numpy() for variable in model.trainable_variables]
    nothing = [keras.ops.zeros_like(variable) for variable in model.trainable_variables]
    model.optimizer.apply_gradients(zip(nothing, model.trainable_variables, strict=True))
    for old, variable in zip(before, model.trainable_variables, strict=True):
        factor = 0.95 if old.ndim > 1 else 1.0
        np.testing.assert_allclose(variable.numpy(), factor * old, rtol=1e-5)


def test_a_schedule_by_epochs_sets_the_rate(sides, tmp_path):
    recipe = changed(SMALL, epochs=3, schedule=StepDecay(every=2, factor=0.1), second_phase=None)
    assert [
        row["lr"] for row in train(recipe, sides, run_folder=tmp_path).state.history
    ] == pytest.approx([1e-3, 1e-3, 1e-4])


def test_start_at_mean_predicts_the_mean_face_before_any_step(sides, tmp_path):
    recipe = changed(
        SMALL,
        start_at_mean=True,
        optim=Adam(lr=1e-12),
        epochs=1,
        second_phase=None,
        augment=Augment(),
    )
    train(recipe, sides, run_folder=tmp_path)
    bias = next(
        layer for layer in nasion.load_model(tmp_path).network.model.layers if layer.name == "head"
    ).bias
    expected = recipe.spec.codec.encode(
        np.nanmean(cut(sides[0], recipe).points, axis=0)[None], recipe.spec.input_size
    )[0]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(bias), expected, atol=1e-5)


def test_a_loss_that_is_not_finite_stops_naming_step_and_faces(sides, tmp_path):
    with pytest.raises(
        RunError,
        match=r"loss is (nan|inf) in epoch \d, step \d+, on faces .*lower the learning rate",
    ):
        train(
            changed(SMALL, optim=SGD(lr=1e30), epochs=3, precision="float32"),
            sides,
            run_folder=tmp_path,
        )


def test_damaged_and_missing_weights_are_named(trained, sides, tmp_path):
    text = (trained / run_folder.SETTINGS).read_text()
    (tmp_path / run_folder.SETTINGS).write_text(text)
    with pytest.raises(RunError, match=r"model\.keras does not exist"):
        nasion.load_model(tmp_path)
    whole = (trained / run_folder.KERAS_WEIGHTS).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1  # among the weights
    for content in (b"", b"PK nothing", whole[:1000], whole[:-100], bytes(flipped)):
        (tmp_path / run_folder.KERAS_WEIGHTS).write_bytes(content)
        with pytest.raises(RunError, match=r"model\.keras is damaged, or does not fit"):
            nasion.load_model(tmp_path)
    record = json.loads(text)
    record["recipe"]["architecture"]["dense"] = [13]
    (tmp_path / run_folder.SETTINGS).write_text(json.dumps(record))
    (tmp_path / run_folder.KERAS_WEIGHTS).write_bytes(whole)
    with pytest.raises(RunError, match=r"does not fit the recipe in run\.json"):
        nasion.load_model(tmp_path)


@pytest.mark.parametrize("how", ["mask", "drop", "forward_fill"])
def test_missing_labels_are_masked_dropped_or_filled_before_keras_sees_them(how, sides, tmp_path):
    faces, complete = sides[0], toy.draw(6, seed=9)
    faces = nasion.join(faces, complete)
    recipe = changed(SMALL, missing=how, augment=Augment())
    session = keras_loop._start_session(recipe, (faces, sides[1]), tmp_path, ())
    targets = np.concatenate([session.batches[i][1] for i in range(len(session.batches))])
    order = np.concatenate(session.batches.order)
    expected = {
        "mask": faces,
        "drop": complete,
        "forward_fill": replace(faces, points=missing_labels.forward_fill(faces.points)),
    }[how]
    np.testing.assert_allclose(
        targets, ((expected.points + 0.5) / 96).reshape(len(expected), -1)[order], atol=1e-5
    )


def test_a_keras_run_is_handed_in_like_any_other(trained, kaggle_folder, tmp_path):
    rows = submission.write(
        nasion.load_model(trained), kaggle_folder, "kaggle", tmp_path / "submission.csv"
    )
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert len(lines) == rows + 1 > 100 and all(
        0 <= float(line.split(",")[1]) <= 96 for line in lines[1:]
    )


def test_a_report_marks_the_change_of_phase(trained, sides):
    from nasion.evaluation import plots, report

    result = nasion.evaluate(trained, sides[1])
    page = report.page(
        result, title="small", run=report.RunDetails(run_folder.read_history(trained))
    )
    assert "phase 2" in page
    figure = plots.history_plot({"run": run_folder.read_history(trained)})
    assert all(
        [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [2.5]
        for axes in figure.axes
    )


ELSEWHERE = """
import json, sys
import numpy as np
import nasion
from nasion.models import keras_backend
from nasion.training.keras_loop import compile_model
from nasion.models.optim import SGD, Phase
from nasion.training.train import train
from tests.test_keras import SMALL, Interrupted, StopAt, toy, without_seconds

keras, out, runs = keras_backend.keras(), sys.argv[1], sys.argv[2:]
faces = toy.draw(56, seed=3)
whole = train(SMALL, (faces[:44], faces[44:]), run_folder=out + "/run")
mine = whole.folder
try:
    train(SMALL, (faces[:44], faces[44:]), run_folder=out + "/stopped", observers=(StopAt(16),))
except Interrupted:
    resumed = train(SMALL, (faces[:44], faces[44:]), run_folder=out + "/stopped", resume=True)
histories = [without_seconds(each.state.history) for each in (resumed, whole)]
assert histories[0] == histories[1], histories
found = {}
for i, folder in enumerate([*runs, mine]):
    found[str(i)] = nasion.load_model(folder).predict(faces[44:]).points

# No label at all: no gradient. Some: gradients of those alone, none of them NaN. Compiled wherever
# the backend can.
model = SMALL.build_network()
name = keras_backend.backend()
for jit in (False, True) if name == "tensorflow" else (name == "jax",):
    compile_model(model, SMALL, Phase(optim=SGD(lr=0.5, momentum=0.0), epochs=1))
    model.jit_compile = jit
    pictures = np.random.default_rng(0).uniform(size=(8, 96, 96, 1)).astype(np.float32)
    before = model.get_weights()
    none = np.full((8, 30), np.nan, np.float32)
    assert float(model.train_on_batch(pictures, none)) == 0.0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    some = none.copy()
    some[:, :4] = 0.5
    assert np.isfinite(float(model.train_on_batch(pictures, some)))
    after = model.get_weights()
    assert all(np.isfinite(a).all() for a in after)
    changed = after[-1] != before[-1]
    assert changed[:4].all() and not changed[4:].any(), changed
np.savez(out + "/points.npz", **found)
print(keras_backend.backend(), mine)
"""


@pytest.mark.parametrize("name", INSTALLED)
def test_under_every_backend_masked_labels_give_no_gradient_and_a_run_predicts_the_same(
    name, trained, sides, tmp_path
):
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path), str(trained)]
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    # Compiling is most of JAX's time here.
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-2] == name
    found = np.load(tmp_path / "points.npz")
    for key, folder in (("0", trained), ("1", tmp_path / "run")):
        np.testing.assert_allclose(
            found[key], nasion.load_model(folder).predict(sides[1]).points, atol=1e-4
        )


def test_the_backend_is_the_requested_or_the_first_installed_one(monkeypatch, tmp_path):
    """In a process of its own, since Keras chooses once."""
    code = "from nasion.models import keras_backend; print(keras_backend.backend())"
    absent = "import sys; sys.modules['tensorflow'] = None\n"
    absent += "import importlib.util as u; find = u.find_spec\n"
    absent += "u.find_spec = lambda name, *a: None if name == 'tensorflow' else find(name, *a)\n"
    # Keras writes its settings file at its first start: from the second case on it is there, and
    # says tensorflow.
    cases = [("", INSTALLED[-1], INSTALLED[-1]), ("", "", INSTALLED[0])]
    cases += (
        [(absent, "", INSTALLED[1])] if INSTALLED[0] == "tensorflow" and len(INSTALLED) > 1 else []
    )
    for before, asked, expected in cases:
        environment = {**os.environ, "KERAS_BACKEND": asked, "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", before + code], capture_output=True, text=True, env=environment
        )
        assert done.stdout.strip() == expected and done.stderr == "", done.stderr


@pytest.mark.parametrize(
    ("blocked", "backend", "line"),
    [
        (("keras", "tensorflow", "torch", "jax"), "", "pip install 'nasion[tensorflow]'"),
        (("tensorflow", "jax", "torch"), "", "pip install 'nasion[tensorflow]'"),
        (("tensorflow",), "tensorflow", "pip install 'nasion[tensorflow]'"),
        (("jax",), "jax", "pip install 'nasion[jax]'"),
    ],
    ids=["nothing", "no backend", "no TensorFlow", "no JAX"],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    blocked, backend, line, tmp_path
):
    code = (
        f"import sys; sys.modules |= dict.fromkeys({blocked!r})\n"
        "import importlib.util as u; find = u.find_spec\n"
        "gone = lambda name: sys.modules.get(name, 0) is None\n"
        "u.find_spec = lambda name, *a: None if gone(name) else find(name, *a)\n"
        "import nasion.app.cli; nasion.app.cli.main()"
    )
    words = ["train", "fkd_cnn", "--data", "toy:30"]
    environment = {**os.environ, "KERAS_BACKEND": backend, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 1 and line in done.stderr and "Traceback" not in done.stderr, (
        done.stderr
    )
    assert not (tmp_path / "runs").exists()


def test_an_unknown_backend_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(SettingError, match="KERAS_BACKEND=theano: one of tensorflow, torch, jax"):
        keras_backend.keras()


def test_a_keras_recipe_trains_evaluates_and_is_inspected_without_torch(tmp_path):
    """As `pip install nasion[tensorflow]` has it."""
    block = (
        "import sys; sys.modules |= dict.fromkeys(('torch', 'lightning_fabric', 'onnx')); "
        "import nasion.app.cli; nasion.app.cli.main()"
    )
    small = [
        text
        for change in (
            "epochs=1",
            "second_phase.epochs=1",
            "architecture.filters=4,4,4",
            "architecture.dense=12",
        )
        for text in ("--set", change)
    ]
    environment = {
        **os.environ,
        "KERAS_BACKEND": INSTALLED[0] if INSTALLED[0] != "torch" else "jax",
    }
    for words in (
        ["train", "fkd_cnn", "--data", "toy:40", "--set", "augment.rotate=5", *small],
        ["evaluate", "runs/fkd_cnn", "--data", "toy:40"],
        ["inspect", "filters", "runs/fkd_cnn"],
        ["report", "runs/fkd_cnn"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", block, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
    page = (tmp_path / "runs" / "fkd_cnn" / "evaluation-val" / "report.html").read_text()
    assert "First layer" in page and "phase 2" in page
    refused = subprocess.run(
        [sys.executable, "-c", block, "train", "fkd_resnet", "--data", "toy:40"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (
        refused.returncode == 1
        and "pip install 'nasion[pytorch]'" in refused.stderr
        and "Traceback" not in refused.stderr
    )


def test_torchrun_is_refused_before_anything_is_written(monkeypatch, sides, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RunError, match="without torchrun"):
        train(SMALL, sides, run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_callers_settings_of_keras_neither_matter_nor_change(sides, trained, tmp_path):
    config = keras.config
    before = config.dtype_policy(), config.floatx(), config.image_data_format()
    (
        config.set_dtype_policy("mixed_bfloat16"),
        config.set_floatx("float64"),
        config.set_image_data_format("channels_first"),
    )
    random_before = np.random.get_state()[1].tolist()
    try:
        done = train(SMALL, sides, run_folder=tmp_path / "run")
        model = nasion.load_model(tmp_path / "run")
        assert without_seconds(done.state.history) == without_seconds(
            run_folder.read_history(trained)
        )
        for ending in (".onnx", ".keras"):
            assert export_model(model, tmp_path / f"model{ending}") < 1e-3
        assert (config.dtype_policy().name, config.floatx(), config.image_data_format()) == (
            "mixed_bfloat16",
            "float64",
            "channels_first",
        )
        assert np.random.get_state()[1].tolist() == random_before
    finally:
        (
            config.set_dtype_policy(before[0]),
            config.set_floatx(before[1]),
            config.set_image_data_format(before[2]),
        )


@dataclass(frozen=True)
class Unnamed:
    """A network of one's own: layers without names, noise in a nested one."""

    framework: ClassVar[str] = "keras"

    def build(self, outputs, size, channels):
        layers = keras.layers
        body = keras.Sequential(
            [layers.Flatten(), layers.GaussianNoise(0.1), layers.Dense(4), layers.Dropout(0.5)]
        )
        pictures = keras.Input((size[1], size[0], channels))
        return keras.Model(
            pictures, layers.Dense(outputs, dtype="float32")(body(layers.MaxPooling2D(8)(pictures)))
        )

    def head_bias(self, outputs):
        return outputs


def test_a_network_of_ones_own_with_nested_noise_and_unnamed_layers_is_resumed_too(sides, tmp_path):
    own = changed(SMALL, architecture=Unnamed())
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    whole = train(own, sides, run_folder=one)
    with pytest.raises(Interrupted):
        keras_loop.fit(own, *sides, two, observers=(StopAt(15),))
    state = keras_loop.fit(own, *sides, two, resume=True)
    assert without_seconds(state.history) == without_seconds(
        whole.state.history
    ) and same_checkpoint(one, two)
    with pytest.raises(RunError, match="last layer named head"):
        train(replace(own, start_at_mean=True), sides, run_folder=tmp_path / "three")


def test_a_run_killed_after_its_weights_and_before_its_checkpoint_goes_on_the_same(
    sides, trained, tmp_path, monkeypatch
):
    """Epoch 3, the first of the second phase: kept weights are already its own, the checkpoint is
    not.
    """

    def killed(session, state, save=keras_loop.Session.save):
        if state.epoch == 3:
            raise KeyboardInterrupt
        save(session, state)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(keras_loop.Session, "save", killed)
        train(SMALL, sides, run_folder=tmp_path)
    (tmp_path / "beside.keras").write_bytes(b"half a file")
    resumed = train(SMALL, sides, run_folder=tmp_path, resume=True).state
    assert without_seconds(resumed.history) == without_seconds(run_folder.read_history(trained))
    assert same_checkpoint(tmp_path, trained)
    nasion.load_model(tmp_path)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 4


def test_a_stop_in_the_very_last_step_leaves_nothing_to_go_on_with(sides, tmp_path, trained):
    done = train(SMALL, sides, run_folder=tmp_path, observers=(StopAt(24),))
    assert without_seconds(done.state.history) == without_seconds(run_folder.read_history(trained))
