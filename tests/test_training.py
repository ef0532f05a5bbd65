"""The loop learns, resumes to the last digit, stops when it must, and leaves whole files."""

import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import changed
from lightning_fabric import Fabric
from safetensors.torch import load_file

import nasion
from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.data.datasets import toy
from nasion.errors import RunError, SettingError
from nasion.inference import checkpoint, run_folder
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.architectures.resnet import ResNet
from nasion.models.codecs import Anchors
from nasion.models.losses import LaplaceLikelihood
from nasion.models.optim import SGD, Adam
from nasion.recipe import AugmentDecay
from nasion.recipes.toy_demo import RECIPE
from nasion.training import torch_loop
from nasion.training.state import Interrupted, TrainingState
from nasion.training.torch_loop import _optimizer, _update_average
from nasion.training.train import train

pytestmark = pytest.mark.slow

SMALL = changed(
    RECIPE,
    input_size=(32, 32),
    architecture=ResNet(
        widths=(8, 16),
        blocks=(1,),
        stem_kernel=3,
        stem_stride=1,
        stem_pool=2,
        bias=True,
        shortcut_norm=False,
    ),
    batch_size=16,
    epochs=3,
    augment=Augment(flip=0.5, rotate=10, shift=0.05, brightness=0.1),
)


@pytest.fixture(scope="module")
def sides():
    hidden = np.random.default_rng(0).uniform(size=(60, 15)) < 0.3
    faces = toy.hide_labels(toy.draw(60, seed=1), hidden)
    return faces[:45], faces[45:]


class StopAt:
    """Sends Ctrl-C to this process after some steps, in the middle of an epoch."""

    def __init__(self, epoch, step):
        self.when = (epoch, step)

    def step(self, state, faces_per_second):
        if (state.epoch, state.step) == self.when:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, state, row):
        pass


def same_tensors(a, b):
    a, b = load_file(a), load_file(b)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_seconds(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "when",
    [(0, 1), (1, 2), (1, 3)],
    ids=["in the first epoch", "in the middle", "at an epoch's last step"],
)
def test_stopping_and_resuming_gives_the_same_numbers_to_the_last_digit(
    tmp_path, sides, when, precision
):
    recipe = changed(SMALL, precision=precision)
    whole = train(recipe, sides, run_folder=tmp_path / "whole")
    with pytest.raises(Interrupted, match="everything is saved"):
        train(recipe, sides, run_folder=tmp_path / "parts", observers=(StopAt(*when),))
    resumed = train(recipe, sides, run_folder=tmp_path / "parts", resume=True)
    assert (
        without_seconds(resumed.state.history) == without_seconds(whole.state.history)
        and len(whole.state.history) == 3
    )
    for name in (run_folder.WEIGHTS, run_folder.CHECKPOINT):
        assert same_tensors(tmp_path / "whole" / name, tmp_path / "parts" / name), name


MAPS = changed(
    SMALL,
    architecture=Pyramid(widths=(8, 16, 16), blocks=(0, 1, 0), neck=8),
    codec=Anchors(8),
    loss=LaplaceLikelihood(),
    optim=Adam(2e-3, weight_decay=0.1),
    ema_decay=0.9,
    start_at_mean=False,
    keep="last",
    corrupt=Corrupt(blur=0.5, noise=0.02, jpeg=0.2, occlude=0.5),
    precision="float32",
    epochs=2,
)


def test_averaged_weights_maps_and_corrupted_images_resume_to_the_last_digit_too(tmp_path, sides):
    whole = train(MAPS, sides, run_folder=tmp_path / "whole")
    with pytest.raises(Interrupted, match="everything is saved"):
        train(MAPS, sides, run_folder=tmp_path / "parts", observers=(StopAt(1, 2),))
    resumed = train(MAPS, sides, run_folder=tmp_path / "parts", resume=True)
    assert without_seconds(resumed.state.history) == without_seconds(whole.state.history)
    for name in (run_folder.WEIGHTS, run_folder.CHECKPOINT):
        assert same_tensors(tmp_path / "whole" / name, tmp_path / "parts" / name), name
    assert (tmp_path / "whole" / "calibration.json").read_text() == (
        tmp_path / "parts" / "calibration.json"
    ).read_text()


def test_faces_change_less_from_the_epoch_on_in_which_augmentation_decays(
    tmp_path, sides, monkeypatch
):
    from nasion.training import torch_loop

    seen, real = [], torch_loop.augmented_batch

    def recorded(crops, at, spec, augment, corrupt, rng):
        seen.append(augment)
        return real(crops, at, spec, augment, corrupt, rng)

    monkeypatch.setattr(torch_loop, "augmented_batch", recorded)
    train(
        changed(SMALL, epochs=4, augment_decay=AugmentDecay(after=0.5, to=0.2)),
        sides,
        run_folder=tmp_path / "run",
    )
    steps = len(seen) // 4
    assert [change.rotate for change in seen] == [10] * 2 * steps + [2] * 2 * steps
    assert {change.flip for change in seen} == {0.5}


def test_the_kept_weights_are_the_average_that_the_checkpoint_carries(tmp_path, sides):
    done = train(MAPS, sides, run_folder=tmp_path / "run")
    kept, saved = (
        load_file(done.folder / run_folder.WEIGHTS),
        load_file(done.folder / run_folder.CHECKPOINT),
    )
    assert all(torch.equal(kept[name], saved[f"ema.{name}"]) for name in kept)
    assert any(not torch.equal(kept[name], saved[f"model.{name}"]) for name in kept)


def test_an_average_over_steps_is_as_by_hand():
    """Decay 0.9: at the first step the share of the new is 1 - 1 / 10, after many 0.1."""
    old, new = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for steps, share in ((0, 0.9), (1000, 0.1)):
        with torch.no_grad():
            old.weight.fill_(1.0)
            new.weight.fill_(2.0)
        _update_average(old, new, 0.9, steps)
        assert old.weight.item() == pytest.approx(1 + share)


def test_the_last_weights_are_kept_only_with_keep_last(tmp_path, sides, monkeypatch):
    """As if every epoch made it worse."""
    scores = iter([1.0, 2.0, 3.0] * 2)
    monkeypatch.setattr(
        "nasion.training.torch_loop.validate", lambda *given: {"val": next(scores), "val_loss": 0.0}
    )
    kept = {}
    for keep in ("best", "last"):
        done = train(changed(SMALL, keep=keep), sides, run_folder=tmp_path / keep)
        kept[keep] = checkpoint.load_tensors(done.folder / run_folder.WEIGHTS)[1]
    # Counted from 1 there, from 0 here.
    assert kept["last"]["epoch"] == 3 and kept["best"]["epoch"] == 1 and done.state.best_epoch == 0


def test_weight_decay_spares_norms_and_biases():
    network = MAPS.build_network()
    decayed, spared = _optimizer(MAPS, network).param_groups
    assert decayed["weight_decay"] == 0.1 and spared["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decayed["params"]) and all(p.ndim == 1 for p in spared["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(list(network.parameters()))


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_gradient_descent_resumes_to_the_last_digit_too(tmp_path, sides, momentum):
    recipe = changed(SMALL, optim=SGD(lr=1e-4, momentum=momentum), epochs=2, precision="float32")
    whole = train(recipe, sides, run_folder=tmp_path / "whole")
    with pytest.raises(Interrupted, match="everything is saved"):
        train(recipe, sides, run_folder=tmp_path / "parts", observers=(StopAt(0, 2),))
    resumed = train(recipe, sides, run_folder=tmp_path / "parts", resume=True)
    assert (
        without_seconds(resumed.state.history) == without_seconds(whole.state.history)
        and len(whole.state.history) == 2
    )
    for name in (run_folder.WEIGHTS, run_folder.CHECKPOINT):
        assert same_tensors(tmp_path / "whole" / name, tmp_path / "parts" / name), name
    assert whole.state.history[1]["loss"] < whole.state.history[0]["loss"]


def test_the_same_recipe_gives_the_same_numbers_and_another_seed_others(tmp_path, sides):
    histories = [
        without_seconds(
            train(
                changed(SMALL, seed=seed, epochs=1), sides, run_folder=tmp_path / str(i)
            ).state.history
        )
        for i, seed in enumerate((0, 0, 1))
    ]
    assert histories[0] == histories[1] != histories[2]


def test_it_learns_from_partly_missing_labels(tmp_path):
    faces = toy.hide_labels(
        toy.draw(300, seed=3), np.random.default_rng(0).uniform(size=(300, 15)) < 0.4
    )
    recipe = changed(
        SMALL,
        epochs=15,
        input_size=(48, 48),
        architecture=replace(SMALL.architecture, widths=(16, 32, 64, 128)),
        augment=Augment(),
    )
    done = train(recipe, (faces[:260], faces[260:]), run_folder=tmp_path / "run")
    constant = np.nanmean((faces[260:].points - np.nanmean(faces[:260].points, axis=0)) ** 2) ** 0.5
    assert done.state.best < 0.75 * constant


def test_a_finished_run_resumed_stays_as_it_is(tmp_path, sides):
    first = train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
    again = train(SMALL, sides, run_folder=tmp_path / "run", resume=True)
    assert again.state == first.state


def test_starting_in_a_folder_that_holds_a_run_is_refused(tmp_path, sides):
    train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
    with pytest.raises(RunError, match="already holds a run; continue it with --resume"):
        train(SMALL, sides, run_folder=tmp_path / "run")


def test_resuming_with_other_settings_or_nothing_to_resume_is_refused(tmp_path, sides):
    train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
    with pytest.raises(SettingError, match="started with other settings"):
        train(SMALL, sides, run_folder=tmp_path / "run", changes=["optim.lr=0.5"], resume=True)
    with pytest.raises(RunError, match="is not a run folder"):
        train(SMALL, sides, run_folder=tmp_path / "nowhere", resume=True)


def test_resuming_on_other_faces_or_under_another_name_is_refused(tmp_path, sides):
    train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
    with pytest.raises(RunError, match="was trained on other faces"):
        train(SMALL, sides[::-1], run_folder=tmp_path / "run", resume=True)
    with pytest.raises(SettingError, match="holds a run of toy, not of fkd_resnet"):
        train("fkd_resnet", sides, run_folder=tmp_path / "run", resume=True)


def test_a_run_that_failed_before_it_saved_anything_may_be_started_anew(tmp_path, sides):
    with pytest.raises(RunError, match="lower the learning rate"):
        train(
            changed(SMALL, optim=Adam(lr=1e30), precision="float32"),
            sides,
            run_folder=tmp_path / "run",
        )
    assert train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run").state.epoch == 1


def test_a_recipe_in_colour_has_a_network_for_colour(tmp_path, sides):
    recipe = changed(SMALL, colour=True, epochs=1)
    assert (
        recipe.build_network().stem.weight.shape[1] == 3
        and SMALL.build_network().stem.weight.shape[1] == 1
    )
    assert train(recipe, sides, run_folder=tmp_path / "colour").state.epoch == 1


def test_a_loss_that_is_not_finite_stops_and_names_step_and_faces(tmp_path, sides):
    with pytest.raises(
        RunError,
        match=r"The loss is (nan|inf) in epoch 1, step \d+, on faces toy/1/\d+, .*optim.lr",
    ) as error:
        train(
            changed(SMALL, optim=Adam(lr=1e30), precision="float32"),
            sides,
            run_folder=tmp_path / "run",
        )
    assert "last checkpoint is unharmed" in str(error.value)


def test_patience_ends_training_so_many_epochs_after_the_best(tmp_path, sides):
    # At this rate nothing is learnt, so that the first epochs stay the best.
    done = train(
        changed(SMALL, epochs=30, patience=2, optim=Adam(lr=1e-12), augment=Augment()),
        sides,
        run_folder=tmp_path / "run",
    )
    assert len(done.state.history) == done.state.best_epoch + 1 + 2 < 30


def test_a_full_disk_while_saving_leaves_the_older_checkpoint_whole(tmp_path, sides, monkeypatch):
    folder = tmp_path / "run"
    train(changed(SMALL, epochs=1), sides, run_folder=folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    state = TrainingState(epoch=9)

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half a checkpoint")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save_tensors(
            folder / run_folder.CHECKPOINT, {"a": torch.ones(3)}, {"epoch": state.epoch}
        )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("kind", ["pt", "np"])
def test_tensors_and_facts_come_back_as_they_were_saved(tmp_path, kind):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": np.array(7)}
    checkpoint.save_tensors(
        tmp_path / "t",
        {name: torch.from_numpy(value) for name, value in arrays.items()}
        if kind == "pt"
        else arrays,
        {"epoch": 2},
    )
    for asked, expected in {"pt": torch.Tensor, "np": np.ndarray}.items():
        found, facts = checkpoint.load_tensors(tmp_path / "t", asked)
        assert (
            facts == {"epoch": 2}
            and found.keys() == arrays.keys()
            and all(isinstance(value, expected) for value in found.values())
        )
        for name, value in arrays.items():
            np.testing.assert_array_equal(found[name], value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_is_really_full_is_an_error_that_can_be_read(tmp_path, sides):
    size = "size=64k"
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(tmp_path)], capture_output=True
    )
    if mount.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        (tmp_path / "a.safetensors").write_bytes(b"old")
        with pytest.raises(OSError):
            checkpoint.save_tensors(tmp_path / "a.safetensors", {"a": torch.ones(1_000_000)}, {})
        assert (tmp_path / "a.safetensors").read_bytes() == b"old" and len(
            list(tmp_path.iterdir())
        ) == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_run_of_another_format_is_refused_with_its_version(tmp_path, sides):
    train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
    path = tmp_path / "run" / run_folder.SETTINGS
    path.write_text(
        path.read_text()
        .replace('"format": 2', '"format": 99')
        .replace(f'"nasion": "{nasion.__version__}"', '"nasion": "9.9"')
    )
    with pytest.raises(
        RunError,
        match=r"made by nasion 9.9 in run format 99; this is nasion .*pip install nasion==9.9",
    ):
        nasion.load_model(tmp_path / "run")
    for damaged in ("{", '{"format": 2}', "[]"):
        path.write_text(damaged)
        with pytest.raises(RunError, match="damaged"):
            nasion.load_model(tmp_path / "run")


def test_weights_that_do_not_fit_and_a_broken_history_are_refused(tmp_path, sides):
    folder = train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run").folder
    settings = folder / run_folder.SETTINGS
    settings.write_text(re.sub(r'("widths": \[\s+)8', r"\g<1>12", settings.read_text()))
    with pytest.raises(RunError, match="weights do not fit the recipe"):
        nasion.load_model(folder)
    (folder / run_folder.HISTORY).write_text("[")
    with pytest.raises(RunError, match=r"history.json: not JSON"):
        run_folder.read_history(folder)


def test_damaged_weights_are_refused(tmp_path, sides):
    train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
    weights = tmp_path / "run" / run_folder.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(RunError, match="damaged"):
        nasion.load_model(tmp_path / "run")


def test_it_trains_in_a_thread_where_signals_cannot_be_caught(tmp_path, sides):
    found = []
    worker = threading.Thread(
        target=lambda: found.append(
            train(changed(SMALL, epochs=1), sides, run_folder=tmp_path / "run")
        )
    )
    worker.start()
    worker.join()
    assert found[0].state.epoch == 1


def test_a_killed_process_resumes_from_its_last_epoch(tmp_path):
    command = [
        sys.executable,
        "-m",
        "nasion",
        "train",
        "toy_demo",
        "--data",
        "toy:80",
        "--run",
        str(tmp_path / "run"),
    ]
    settings = [
        text
        for change in ("batch_size=8", "epochs=12", "architecture.widths=8,16")
        for text in ("--set", change)
    ]
    process = subprocess.Popen(
        [*command, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "run" / run_folder.CHECKPOINT).exists() and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    subprocess.run(
        [*command, "--resume"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    whole = tmp_path / "whole"
    subprocess.run(
        [*command[:-1], str(whole), *settings],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert without_seconds(run_folder.read_history(tmp_path / "run")) == without_seconds(
        run_folder.read_history(whole)
    )
    assert same_tensors(tmp_path / "run" / run_folder.WEIGHTS, whole / run_folder.WEIGHTS)


def test_two_processes_under_torchrun_learn_nearly_the_same_as_one(tmp_path):
    still = [
        f"augment.{name}=0"
        for name in ("rotate", "scale", "shift", "flip", "brightness", "contrast")
    ]
    changes = ["batch_size=16", "epochs=2", "architecture.widths=8,16", "precision=float32", *still]
    settings = [text for change in changes for text in ("--set", change)]
    arguments = ["train", "toy_demo", "--data", "toy:80", *settings]
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "nasion",
        "--",
    ]  # else torchrun takes --run for its own
    subprocess.run(
        [*launch, *arguments, "--run", str(tmp_path / "two")], check=True, capture_output=True
    )
    subprocess.run(
        [sys.executable, "-m", "nasion", *arguments, "--run", str(tmp_path / "one")],
        check=True,
        capture_output=True,
    )
    one, two = (run_folder.read_history(tmp_path / name) for name in ("one", "two"))
    # Batch norm sees halves of each batch, so only nearly.
    assert len(two) == 2 and two[0]["loss"] == pytest.approx(one[0]["loss"], rel=0.3)


def run_two_processes(script, folder, *words):
    """Run a script under torchrun as two processes; what each of them left in ``rank-R``."""
    file = folder / "script.py"
    file.write_text(textwrap.dedent(script))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launch, str(file), str(folder), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [(folder / f"rank-{rank}").read_text() for rank in range(2)]


@pytest.mark.parametrize("ema_decay", ["0", "0.9"])
def test_two_processes_have_the_same_validation_scores(tmp_path, ema_decay):
    # Else one of them runs out of patience alone, and the other waits for it in vain.
    script = """
        import os, sys
        from pathlib import Path
        import nasion
        from nasion.data.datasets import toy
        faces, folder = toy.draw(60), Path(sys.argv[1])
        changes = ["epochs=3", "batch_size=8", "architecture.widths=8,16", *sys.argv[2:]]
        sides = faces[:40], faces[40:]
        result = nasion.train("toy_demo", sides, run_folder=folder / "run", changes=changes)
        scores = [(row["val"], row["val_loss"]) for row in result.state.history]
        (folder / f"rank-{os.environ['RANK']}").write_text(str(scores))
    """
    first, second = run_two_processes(script, tmp_path, f"ema_decay={ema_decay}")
    assert first == second


def test_a_signal_to_one_of_two_processes_stops_both_after_the_same_step(tmp_path):
    script = """
        import os, signal, sys
        from pathlib import Path
        import nasion
        from nasion.data.datasets import toy
        from nasion.training import torch_loop
        from nasion.training.state import Interrupted
        faces, folder, rank = toy.draw(60), Path(sys.argv[1]), os.environ["RANK"]
        step = torch_loop._step
        def signalled(session, epoch, number, order):
            if rank == "1" and number == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return step(session, epoch, number, order)
        torch_loop._step = signalled
        changes = ["epochs=3", "batch_size=8", "architecture.widths=8,16"]
        sides = faces[:40], faces[40:]
        try:
            nasion.train("toy_demo", sides, run_folder=folder / "run", changes=changes)
        except Interrupted as error:
            (folder / f"rank-{rank}").write_text(str(error))
    """
    first, second = run_two_processes(script, tmp_path)
    assert first == second and "in epoch 1 after step 3 of 5" in first


def test_a_signal_between_two_steps_leaves_no_loss_behind(tmp_path, sides, monkeypatch):
    signals, losses = [], iter(torch.arange(1.0, 100.0))

    class Signalled:
        def step(self, state, faces_per_second):
            signals.extend([state.step] if state.step == 2 else [])

        def epoch(self, state, row): ...

    session = torch_loop._start_session(SMALL, sides, tmp_path, (Signalled(),), False)
    # As on a GPU, where losses are read at the epoch's end.
    monkeypatch.setattr(Fabric, "device", torch.device("cuda"))
    monkeypatch.setattr(torch_loop, "_step", lambda *_: next(losses))
    state = TrainingState()
    torch_loop._run_epoch(session, state, lambda: bool(signals))
    assert state.step == 3 and state.losses == [1.0, 2.0, 3.0]


def test_training_starts_from_another_runs_weights_or_names_those_that_do_not_fit(tmp_path, sides):
    first = train(MAPS, sides, run_folder=tmp_path / "first")
    still = changed(MAPS, init_from=str(first.folder), optim=Adam(1e-9), ema_decay=0.0, epochs=1)
    on = train(still, sides, run_folder=tmp_path / "on")
    before, after = (load_file(folder / run_folder.WEIGHTS) for folder in (first.folder, on.folder))
    assert all(
        torch.allclose(before[name], after[name], atol=1e-6)
        for name in before
        if "running" not in name and "num_batches" not in name
    )
    with pytest.raises(
        SettingError, match=r"init_from=.*first: its network .* is not the recipe's"
    ):
        train(
            changed(still, architecture=Pyramid(widths=(8, 8, 8), blocks=(0, 1, 0), neck=8)),
            sides,
            run_folder=tmp_path / "other",
        )


def test_without_holding_out_all_faces_are_learnt_and_scores_are_calibrated_on_the_run_before(
    tmp_path, sides
):
    first = train(changed(MAPS, epochs=1), sides, run_folder=tmp_path / "first")
    whole = train(
        changed(MAPS, epochs=1, hold_out=False, init_from=str(first.folder)),
        sides,
        run_folder=tmp_path / "whole",
    )
    assert run_folder.read_settings(whole.folder)["faces"] == [60, 15]
    assert (whole.folder / "calibration.json").read_text() == (
        first.folder / "calibration.json"
    ).read_text()
    alone = train(changed(MAPS, epochs=1, hold_out=False), sides, run_folder=tmp_path / "alone")
    assert not (alone.folder / "calibration.json").exists()
