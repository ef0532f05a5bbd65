"""The Keras loop: compile, fit and callbacks, as Keras users have them. A run that was stopped goes on as if it never had been.

Nothing random is carried along: order, augmentation and dropout of a step are drawn from (seed, epoch, step) alone.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nasion import keras_backend, run
from nasion.batches import Canvases, batch, canvases, epoch_order
from nasion.errors import RunError
from nasion.faces import Faces
from nasion.files import put, write_text
from nasion.loop import Interrupted, State, Watch, finished, mean_target, stop_signal, took_in, trained_on, validated
from nasion.losses import masked_mean
from nasion.networks.keras import KerasNetwork, built, channels_last, load, policy, settings
from nasion.optim import Adam, Constant, Phase, Plateau
from nasion.recipe import Recipe
from nasion.sources import spread

keras: Any = keras_backend.keras()
CSV = "history.csv"


def fit(recipe: Recipe, train_faces: Faces, val_faces: Faces, folder: Path, *, resume: bool = False, watchers: tuple[Watch, ...] = ()) -> State:
    """Train a recipe into a run folder that exists already (``run.create``), phase after phase, and tell how it went.

    Raises ``RunError`` when the loss is no longer finite, naming step and faces, and ``Interrupted`` after Ctrl-C.
    """
    with settings(policy(recipe)):
        session = _prepared(recipe, (train_faces, val_faces), folder, watchers)
        state = State(**run.load_tensors(folder / run.CHECKPOINT, "np")[1]) if resume else State()
        with stop_signal() as stopped:
            session = replace(session, stopped=stopped)
            for number, phase in enumerate(recipe.phases, start=1):
                rows = [row for row in state.history if row["phase"] == number]
                if state.phase > number or _over(phase, rows):
                    continue
                if stopped():
                    raise Interrupted(state, folder)
                _fit_phase(session, state, (number, phase), resume and state.phase == number)
    return state


@dataclass(frozen=True, eq=False)
class _Session:
    """What stays the same while a run trains. ``network`` is the float32 twin of ``model``: what is judged and kept."""

    recipe: Recipe
    folder: Path
    model: Any
    network: KerasNetwork
    faces: Faces
    batches: _Batches
    val_faces: Faces
    val_canvas: Canvases
    watchers: tuple[Watch, ...]
    stopped: Callable[[], bool] = bool


def _prepared(recipe: Recipe, sides: tuple[Faces, Faces], folder: Path, watchers: tuple[Watch, ...]) -> _Session:
    faces, val_faces = trained_on(recipe, sides[0]), sides[1].to(recipe.scheme)
    canvas = canvases(faces, recipe, augmented=True)
    before = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(recipe.seed % 2**32)
    model = built(recipe, policy(recipe))
    random.setstate(before[0])  # the caller's
    np.random.set_state(before[1])
    if recipe.start_at_mean:
        if all(layer.name != "head" for layer in model.layers):
            raise RunError("start_at_mean needs a last layer named head; this network has none.")
        model.get_layer("head").bias.assign(mean_target(recipe, canvas))
    return _Session(
        recipe=recipe, folder=folder, model=model, network=KerasNetwork(built(recipe), recipe), faces=faces, batches=_Batches(canvas, recipe),
        val_faces=val_faces, val_canvas=canvases(spread(val_faces, recipe.apart), recipe), watchers=watchers,
    )  # fmt: skip


def compiled(model: Any, recipe: Recipe, phase: Phase) -> None:
    """Give the model a phase's optimizer and the recipe's loss, which leaves missing labels out."""

    def loss(target: Any, output: Any) -> Any:
        return masked_mean(recipe.loss, recipe.codec.said(output, recipe.input_size), target)[0]

    optim = phase.optim
    if isinstance(optim, Adam):
        optimizer = keras.optimizers.Adam(optim.lr, beta_1=optim.betas[0], beta_2=optim.betas[1])
    else:
        optimizer = keras.optimizers.SGD(optim.lr, momentum=optim.momentum)
    model.compile(optimizer=optimizer, loss=loss)
    optimizer.build(model.trainable_variables)


def _fit_phase(session: _Session, state: State, numbered: tuple[int, Phase], goes_on: bool) -> None:
    """One phase from its start, or from the checkpoint, to its end."""
    number, phase = numbered
    model, folder = session.model, session.folder
    compiled(model, session.recipe, phase)
    saved: dict[str, np.ndarray] = {}
    if goes_on:
        saved = run.load_tensors(folder / run.CHECKPOINT, "np")[0]
        for name, variable in _variables(model).items():
            if name not in saved or saved[name].shape != tuple(variable.shape):
                raise RunError(f"{folder / run.CHECKPOINT} does not fit this network ({name}); go on with the version that made it, or start anew.")
            variable.assign(saved[name])
    elif number > 1:
        model.set_weights(load(folder, session.recipe).model.get_weights())
        # From here on the kept weights may be this phase's.
        state.phase = number
        _save(session, model, state)
    first = len([row for row in state.history if row["phase"] < number])
    state.last = first + phase.epochs
    while not _over(phase, rows := state.history[first:]):
        # An epoch that was stopped in the middle has fewer steps than the others, so it is a fit of its own.
        end = state.epoch + 1 if state.step else first + phase.epochs
        steps = _Steps(session, state, number, saved)
        counting = _counting(phase, first)
        kept = _Kept(session.network.model, folder / run.KERAS_WEIGHTS, state.best)
        model.fit(
            session.batches.at(state.epoch, state.step), initial_epoch=state.epoch, epochs=end, shuffle=False, verbose=0,
            callbacks=[steps, *counting, _Replay(rows, phase.optim.lr, counting), kept, *_logs(folder, state), _Saved(session, state)],
        )  # fmt: skip
        saved = {}
        if session.stopped() and not _over(phase, state.history[first:]):
            raise Interrupted(state, folder)


def _over(phase: Phase, rows: list[dict[str, float]]) -> bool:
    """True if a phase has had its epochs, or enough of them without a better score."""
    if not rows:
        return False
    best = min(range(len(rows)), key=lambda i: rows[i]["val"])
    return len(rows) >= phase.epochs or (phase.patience is not None and len(rows) - 1 - best >= phase.patience)


def _counting(phase: Phase, first: int) -> list[Any]:
    """The callbacks that count epochs: when to stop, and the learning rate."""
    schedule = phase.schedule
    found = [keras.callbacks.EarlyStopping("val", mode="min", patience=phase.patience)] if phase.patience else []
    if isinstance(schedule, Plateau):
        found.append(keras.callbacks.ReduceLROnPlateau("val", mode="min", factor=schedule.factor, patience=schedule.patience, min_delta=0))
    elif not isinstance(schedule, Constant):
        found.append(keras.callbacks.LearningRateScheduler(lambda epoch: phase.optim.lr * schedule(epoch - first, phase.epochs)))
    return found


def _logs(folder: Path, state: State) -> list[Any]:
    path = folder / CSV
    if path.is_file():
        # A kill may have come between a line here and its checkpoint.
        write_text(path, "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[: 1 + len(state.history)]))
    logs = [keras.callbacks.CSVLogger(str(path), append=bool(state.history))]
    if keras_backend.backend() == "tensorflow" and find_spec("tensorboard"):
        logs.append(keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False))
    return logs


class _Batches(keras.utils.PyDataset):
    """The batches of an epoch from a step on, as (pictures, targets)."""

    def __init__(self, canvas: Canvases, recipe: Recipe) -> None:
        super().__init__()
        self._canvas, self._recipe = canvas, recipe
        self.at(0, 0)

    def at(self, epoch: int, step: int) -> _Batches:
        self.epoch, self.first = epoch, step
        self.order = epoch_order(len(self._canvas), self._recipe.batch_size, self._recipe.seed, epoch)
        return self

    def __len__(self) -> int:
        return len(self.order) - self.first

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        step, recipe = self.first + index, self._recipe.in_epoch(self.epoch)
        # The PyTorch loop's numbers, so that both see the same faces.
        sample = batch(self._canvas, self.order[step], recipe, np.random.default_rng([recipe.seed, self.epoch, step, 0]))
        return channels_last(sample.images), recipe.codec.encode(sample.points, recipe.input_size)


class _Steps(keras.callbacks.Callback):
    """First of the callbacks: sets what is random in an epoch, watches its steps, judges its end for all others."""

    def __init__(self, session: _Session, state: State, phase: int, saved: dict[str, np.ndarray]) -> None:
        super().__init__()
        self._session, self._state, self._phase, self._saved = session, state, phase, saved

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        state, batches = self._state, self._session.batches.at(epoch, self._state.step)
        state.steps = len(batches.order)
        noise = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        for i, variable in enumerate(noise):
            variable.assign([self._seed(epoch, i), state.step])
        for i, variable in enumerate(self.model.metrics_variables if state.step else []):
            variable.assign(self._saved[f"metric.{i}"])
        self._last = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if keras_backend.backend() == "torch":
            # There layers draw from PyTorch's own generator.
            sys.modules["torch"].manual_seed(self._seed(self._state.epoch, self._state.step))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        state, session, now = self._state, self._session, time.perf_counter()
        at = session.batches.order[state.step]
        took_in(state, [float(logs["loss"])], [at], session.faces, state.step)
        state.step, state.seconds = state.step + 1, state.seconds + now - self._last
        for watch in session.watchers:
            watch.step(state, len(at) / (now - self._last))
        if session.stopped() and state.step < state.steps:
            _save(session, self.model, state)
            raise Interrupted(state, session.folder)
        self._last = time.perf_counter()

    def _seed(self, epoch: int, part: int) -> int:
        return int(np.random.SeedSequence([self._session.recipe.seed, epoch, part]).generate_state(1)[0]) >> 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        session = self._session
        session.network.model.set_weights(self.model.get_weights())
        logs |= validated(session.network, session.val_canvas, session.val_faces, session.recipe)
        # The optimizer has it in float32.
        rate = float(f"{float(self.model.optimizer.learning_rate):.6g}")
        logs |= {"learning_rate": rate, "phase": self._phase, "seconds": self._state.seconds}


class _Replay(keras.callbacks.Callback):
    """Tells callbacks that count epochs what happened before this fit."""

    def __init__(self, rows: list[dict[str, float]], lr: float, counting: list[Any]) -> None:
        super().__init__()
        self._rows, self._lr, self._counting = rows, lr, counting

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = self._lr
        for row in self._rows:
            for callback in self._counting:
                callback.on_epoch_end(int(row["epoch"]) - 1, dict(row))


class _Kept(keras.callbacks.ModelCheckpoint):
    """Keeps the best weights of the float32 twin, which plain Keras opens; written beside and renamed."""

    def __init__(self, twin: Any, path: Path, best: float) -> None:
        self._twin, self._path, self._beside = twin, path, path.with_name("beside.keras")
        super().__init__(str(self._beside), monitor="val", mode="min", save_best_only=True, initial_value_threshold=best)

    def set_model(self, model: Any) -> None:
        super().set_model(self._twin)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._beside.unlink(missing_ok=True)  # a kill may have left half of one
        super().on_epoch_end(epoch, logs)
        if self._beside.exists():
            put(self._beside, self._path)


class _Saved(keras.callbacks.Callback):
    """Last of the callbacks: notes the epoch and saves everything."""

    def __init__(self, session: _Session, state: State) -> None:
        super().__init__()
        self._session, self._state = session, state

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        session, state = self._session, self._state
        row = {"epoch": epoch + 1, "lr": logs["learning_rate"]} | {
            name: float(logs[name]) for name in ("loss", "val", "val_loss", "seconds", "phase")
        }
        finished(state, row, session.watchers)
        _save(session, self.model, state)
        if session.stopped():
            self.model.stop_training = True


def _variables(model: Any) -> dict[str, Any]:
    """All that training changes, by the names that it has in a checkpoint; by position, since Keras numbers unnamed layers anew."""
    return {f"model.{i}.{variable.name}": variable for i, variable in enumerate(model.weights)} | {
        f"optim.{i}": variable for i, variable in enumerate(model.optimizer.variables)
    }


def _save(session: _Session, model: Any, state: State) -> None:
    variables = _variables(model) | {f"metric.{i}": variable for i, variable in enumerate(model.metrics_variables)}
    tensors = {name: keras.ops.convert_to_numpy(variable.value) for name, variable in variables.items()}
    run.save_tensors(session.folder / run.CHECKPOINT, tensors, asdict(state))
    run.write_history(session.folder, state.history)
