"""Show how training goes: a progress bar in the terminal, TensorBoard."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from nasion.models.keras_backend import quiet_unless_it_fails
from nasion.training.state import Observer, TrainingState

_SPEED_SMOOTHING = 0.98  # weight of the speed so far against that of a new step
_RECENT = 50  # steps whose mean loss is shown


class TerminalBar:
    """A bar over all steps with loss, score, speed and time left; a line per epoch."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._speed = self._loss = 0.0
        self._phase = 1
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[last]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4g}  val {task.fields[val]}"),
            TextColumn("{task.fields[speed]:.0f} faces/s"),
            _TimeLeft(),
            console=console,
        )
        self._task = self._progress.add_task(
            "train", epoch=1, last="?", loss=0.0, val="-", speed=0.0, total=None
        )

    def __enter__(self) -> TerminalBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def step(self, state: TrainingState, faces_per_second: float) -> None:
        if state.phase != self._phase:
            self._phase = state.phase
            self._console.print(
                f"phase {self._phase}: next optimizer, from the best weights of the phase before"
            )
        self._progress.start()  # only now: what is refused before the first step needs no bar
        new = 1 - _SPEED_SMOOTHING if self._speed else 1.0
        self._speed += new * (faces_per_second - self._speed)
        recent = state.losses[-_RECENT:]
        self._loss = sum(recent) / max(len(recent), 1)
        self._progress.update(
            self._task,
            # All epochs at most; patience may end training sooner.
            total=state.steps * state.last,
            completed=state.epoch * state.steps + state.step,
            epoch=state.epoch + 1,
            last=state.last,
            loss=self._loss,
            speed=self._speed,
        )

    def epoch(self, state: TrainingState, row: dict[str, float]) -> None:
        best = "  best so far" if state.best_epoch == state.epoch - 1 else ""
        self._console.print(
            f"epoch {row['epoch']:.0f}: loss {row['loss']:.4g}, val {row['val']:.4g}, "
            f"lr {row['lr']:.1e}, {row['seconds']:.1f} s{best}"
        )
        self._progress.update(self._task, val=f"{row['val']:.4g}")


class _TimeLeft(ProgressColumn):
    """Rich's own estimate, with a word after it."""

    def render(self, task: Task) -> Text:
        left = TimeRemainingColumn(compact=True).render(task).plain
        return Text(f"{left} left")


class TensorBoard:
    """Loss, score and learning rate of each epoch, for ``tensorboard --logdir``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _writer(self) -> Any:
        # Made at the first step, so that a run that is refused leaves nothing behind.
        # It imports TensorFlow where that is installed, which prints lines about the processor.
        with quiet_unless_it_fails():
            from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self._folder))

    def step(self, state: TrainingState, faces_per_second: float) -> None:
        if state.step % 20 == 0 and state.losses:
            at = state.epoch * state.steps + state.step
            self._writer.add_scalar("loss/step", state.losses[-1], at)
            self._writer.add_scalar("speed/faces_per_second", faces_per_second, at)

    def epoch(self, state: TrainingState, row: dict[str, float]) -> None:
        for name in ("loss", "val", "lr", "seconds"):
            self._writer.add_scalar(f"epoch/{name}", row[name], int(row["epoch"]))
        self._writer.flush()


def tensorboard(folder: Path) -> list[Observer]:
    """A TensorBoard observer, if TensorBoard and PyTorch, whose writer it uses, are installed."""
    installed = find_spec("tensorboard") and find_spec("torch")
    return [TensorBoard(folder / "tensorboard")] if installed else []
