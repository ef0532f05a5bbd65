"""How far an audit's trainings are, in one bar over all networks."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nasion.training.state import Observer, TrainingState


class AuditProgress:
    """A bar with the time left; it begins with the first step of the first training."""

    def __init__(self, console: Console, networks: int) -> None:
        self._networks, self._number = networks, 0
        self._progress = Progress(
            TextColumn("network {task.fields[number]} of {task.fields[networks]}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("train", total=None, number=1, networks=networks)

    def __enter__(self) -> AuditProgress:
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def observers(self, run: Path) -> tuple[Observer, ...]:
        """The bar as the observer of the next network."""
        self._number += 1
        return (self,)

    def step(self, state: TrainingState, faces_per_second: float) -> None:
        self._progress.start()
        each = state.steps * state.last
        done = (self._number - 1) * each + state.epoch * state.steps + state.step
        self._progress.update(
            self._task, total=self._networks * each, completed=done, number=self._number
        )

    def epoch(self, state: TrainingState, row: dict[str, float]) -> None:
        """Nothing: the bar goes on with the next step."""
