"""SIGTERM handled as Ctrl-C: what was done is kept, and the exit code tells who stopped it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer

from nasion.app import console


class Terminated(KeyboardInterrupt):
    """SIGTERM, which service managers and batch systems send before they kill."""


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Raise ``Terminated`` in the main thread on SIGTERM."""

    def stop(number: int, frame: Any) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_code(stopped: BaseException) -> int:
    """128 and the signal's number, as shells report a command that a signal stopped."""
    number = signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT
    return 128 + int(number)


def stops_on_sigterm(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command end with code 143 on SIGTERM, after its blocks have cleaned up."""

    # Typer reads the options of the function that is wrapped.
    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        with sigterm_as_interrupt():
            try:
                command(*arguments, **options)
            except Terminated as stopped:
                console.warn("Stopped; nothing more is written.")
                raise typer.Exit(exit_code(stopped)) from stopped

    return run
