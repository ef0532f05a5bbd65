"""When training stops before its last epoch: patience, Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def out_of_patience(rows: list[dict[str, float]], patience: int | None) -> bool:
    """True if the last ``patience`` of these epochs brought no better score."""
    if patience is None or not rows:
        return False
    best = min(range(len(rows)), key=lambda i: rows[i]["val"])
    return len(rows) - 1 - best >= patience


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM stop training after the current step; a second one stops it at once."""
    caught: list[int] = []

    def on_signal(number: int, frame: Any) -> None:
        # The second signal: raise from wherever the main thread is.
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.signal(number, on_signal) for number in numbers}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
