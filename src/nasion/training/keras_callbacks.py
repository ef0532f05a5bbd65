"""Batches and callbacks of the Keras loop."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasion.array_types import Int64
from nasion.inference import run_folder
from nasion.inference.backends.keras import channels_last
from nasion.inference.crops import Crops, augmented_batch, epoch_order
from nasion.media.files import move_into_place, write_text
from nasion.models import keras_backend
from nasion.models.optim import Constant, Phase, Plateau
from nasion.recipe import Recipe
from nasion.training.state import Interrupted, TrainingState, record_epoch, record_losses
from nasion.training.validation import validate

if TYPE_CHECKING:
    from nasion.training.keras_loop import Session

keras: Any = keras_backend.keras()
CSV = "history.csv"
_Rows = list[dict[str, float]]


def callbacks(
    session: Session,
    state: TrainingState,
    number: int,
    phase: Phase,
    rows: _Rows,
    saved: dict[str, np.ndarray],
) -> list[Any]:
    """The callbacks of a fit, in order: the first validates for all others, the last saves.

    ``rows``: the phase's finished epochs. ``saved``: the checkpoint's tensors, if the fit continues
    in the middle of an epoch.
    """
    # Epochs of earlier phases: schedules count from the start of their own.
    first = len(state.history) - len(rows)
    schedule = _schedule_callbacks(phase, first)
    path = session.folder / run_folder.KERAS_WEIGHTS
    return [
        # Keras passes one `logs` to all callbacks in turn: what the first one adds, the others see.
        _Steps(session, state, number, saved),
        *schedule,
        _Replay(rows, phase.optim.lr, schedule),
        _KeepBest(session.network.model, path, state.best),
        *_logs(session.folder, state),
        # Last, so that what the checkpoint says is done has been done by all before it.
        _Save(session, state),
    ]


def batches(crops: Crops, recipe: Recipe) -> Any:
    """The batches of an epoch, as a ``PyDataset``; its ``at(epoch, step)`` chooses the first."""
    return _Batches(crops, recipe)


class _Batches(keras.utils.PyDataset):
    """The batches of an epoch from a step on, as (images, targets)."""

    def __init__(self, crops: Crops, recipe: Recipe) -> None:
        super().__init__()
        self._crops, self._recipe = crops, recipe
        self.at(0, 0)

    def at(self, epoch: int, step: int) -> _Batches:
        recipe = self._recipe
        self.epoch: int = epoch
        self.first: int = step
        self.order: list[Int64[np.ndarray, " B"]] = epoch_order(
            len(self._crops), recipe.batch_size, recipe.seed, epoch, repeats=recipe.repeats
        )
        return self

    def __len__(self) -> int:
        return len(self.order) - self.first

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        step, recipe = self.first + index, self._recipe.in_epoch(self.epoch)
        spec = recipe.spec
        # The same numbers as in the PyTorch loop, where the last one is the process: both
        # frameworks see the same augmentation.
        rng = np.random.default_rng([recipe.seed, self.epoch, step, 0])
        batch = augmented_batch(
            self._crops, self.order[step], spec, recipe.augment, recipe.corrupt, rng
        )
        return channels_last(batch.images), spec.codec.encode(batch.points, spec.input_size)


def _schedule_callbacks(phase: Phase, first: int) -> list[Any]:
    """The callbacks that count epochs: when to stop, and the learning rate."""
    schedule, found = phase.schedule, []
    if phase.patience:
        found.append(keras.callbacks.EarlyStopping("val", mode="min", patience=phase.patience))
    if isinstance(schedule, Plateau):
        # min_delta: by Keras' default of 1e-4 a better score could count as none.
        plateau = keras.callbacks.ReduceLROnPlateau(
            "val", mode="min", factor=schedule.factor, patience=schedule.patience, min_delta=0
        )
        found.append(plateau)
    elif not isinstance(schedule, Constant):

        def rate(epoch: int) -> float:
            return phase.optim.lr * schedule(epoch - first, phase.epochs)

        found.append(keras.callbacks.LearningRateScheduler(rate))
    return found


def _logs(folder: Path, state: TrainingState) -> list[Any]:
    path = folder / CSV
    if path.is_file():
        # A kill may have come between a line here and its checkpoint.
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        # The header, and a line per epoch that the checkpoint knows.
        write_text(path, "".join(lines[: 1 + len(state.history)]))
    logs = [keras.callbacks.CSVLogger(str(path), append=bool(state.history))]
    if keras_backend.backend() == "tensorflow" and find_spec("tensorboard"):
        logs.append(keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False))
    return logs


class _Steps(keras.callbacks.Callback):
    """Sets the random numbers of an epoch, records its steps, validates at its end."""

    def __init__(
        self, session: Session, state: TrainingState, phase: int, saved: dict[str, np.ndarray]
    ) -> None:
        super().__init__()
        self._session, self._state, self._phase, self._saved = session, state, phase, saved

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        state, batches = self._state, self._session.batches.at(epoch, self._state.step)
        state.steps = len(batches.order)
        # The state of a layer's generator is its seed and how often it was used, which is once per
        # step.
        seeds = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for i, variable in enumerate(seeds):
            variable.assign([self._seed(epoch, i), state.step])
        # In the middle of an epoch the mean loss so far comes from the checkpoint.
        for i, variable in enumerate(self.model.metrics_variables if state.step else []):
            variable.assign(self._saved[f"metric.{i}"])
        self._last = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if keras_backend.backend() == "torch":
            # There layers draw from PyTorch's own generator.
            sys.modules["torch"].manual_seed(self._seed(self._state.epoch, self._state.step))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        state, session, now = self._state, self._session, time.perf_counter()
        at, seconds = session.batches.order[state.step], now - self._last
        record_losses(state, [float(logs["loss"])], [at], session.faces, state.step)
        state.step, state.seconds = state.step + 1, state.seconds + seconds
        for observer in session.observers:
            observer.step(state, len(at) / seconds)
        if session.stopped() and state.step < state.steps:
            session.save(state)
            raise Interrupted(state, session.folder)
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        session = self._session
        # Validation runs on the float32 copy.
        session.network.model.set_weights(self.model.get_weights())
        logs |= validate(session.network, session.val_crops, session.val_faces, session.recipe)
        # The optimizer keeps it in float32; six digits bring back the rate that was set.
        rate = float(f"{float(self.model.optimizer.learning_rate):.6g}")
        logs |= {"learning_rate": rate, "phase": self._phase, "seconds": self._state.seconds}

    def _seed(self, epoch: int, part: int) -> int:
        moment = [self._session.recipe.seed, epoch, part]
        # 31 bits: they fit into the integers of every backend, signed or not.
        return int(np.random.SeedSequence(moment).generate_state(1)[0]) >> 1


class _Replay(keras.callbacks.Callback):
    """Tells callbacks that count epochs what happened before this fit."""

    def __init__(self, rows: _Rows, lr: float, counting: list[Any]) -> None:
        super().__init__()
        self._rows, self._lr, self._counting = rows, lr, counting

    def on_train_begin(self, logs: Any = None) -> None:
        # Behind the counting callbacks in the list: their own on_train_begin resets their counts.
        # They may lower the rate again as they count.
        self.model.optimizer.learning_rate = self._lr
        for row in self._rows:
            for callback in self._counting:
                callback.on_epoch_end(int(row["epoch"]) - 1, dict(row))


class _KeepBest(keras.callbacks.ModelCheckpoint):
    """Keeps the best weights of the float32 copy, which plain Keras opens; written atomically."""

    def __init__(self, copy: Any, path: Path, best: float) -> None:
        self._copy, self._path = copy, path
        # ModelCheckpoint accepts only names that end in .keras.
        self._temporary = path.with_name("temporary.keras")
        super().__init__(
            str(self._temporary),
            monitor="val",
            mode="min",
            save_best_only=True,
            initial_value_threshold=best,
        )

    def set_model(self, model: Any) -> None:
        # What is saved is the copy, not the model that Keras trains.
        super().set_model(self._copy)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._temporary.unlink(missing_ok=True)  # a kill may have left half of one
        super().on_epoch_end(epoch, logs)
        if self._temporary.exists():
            move_into_place(self._temporary, self._path)


class _Save(keras.callbacks.Callback):
    """Records the epoch and saves everything."""

    def __init__(self, session: Session, state: TrainingState) -> None:
        super().__init__()
        self._session, self._state = session, state

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        session, state = self._session, self._state
        names = ("loss", "val", "val_loss", "seconds", "phase")
        row = {"epoch": epoch + 1, "lr": logs["learning_rate"]}
        row |= {name: float(logs[name]) for name in names}
        record_epoch(state, row, session.observers)
        session.save(state)
        if session.stopped():
            self.model.stop_training = True
