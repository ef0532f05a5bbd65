"""Ctrl-C and SIGTERM alike: what was done is kept, and the exit code tells who stopped it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

import typer

from nasion.app import console


class Terminated(KeyboardInterrupt):
    """SIGTERM, which service managers and batch systems send before they kill."""


class StopSignals:
    """Within its block Ctrl-C raises ``KeyboardInterrupt`` in the main thread, SIGTERM its kind."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._is_held = False
        self._waiting: list[int] = []

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Shells start background jobs with Ctrl-C ignored; that stays.
            if signal.getsignal(number) is not signal.SIG_IGN:
                try:
                    self._before[number] = signal.signal(number, self._on_signal)
                except ValueError:
                    break  # not the main thread
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that a signal does not tear apart: it is raised at its end; a second at once."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._waiting:
            raise _stop_of(self._waiting.pop())

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_held and not self._waiting:
            self._waiting.append(number)
            return
        raise _stop_of(number)


def _stop_of(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


def exit_code(stopped: BaseException) -> int:
    """128 and the signal's number, as shells report a command that a signal stopped."""
    number = signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT
    return 128 + int(number)


def stops_on_sigterm(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command end with code 143 on SIGTERM, after its blocks have cleaned up."""

    # Typer reads the options of the function that is wrapped.
    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        with StopSignals():
            try:
                command(*arguments, **options)
            except Terminated as stopped:
                console.warn("Stopped; nothing more is written.")
                raise typer.Exit(exit_code(stopped)) from stopped

    return run
