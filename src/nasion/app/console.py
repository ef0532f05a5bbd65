"""Terminal output: lines, warnings, errors, progress bars. Tables are in ``tables.py``.

Lines need no Rich, whose import takes a tenth of the start of ``nasion predict``.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import typer

from nasion.media.counted import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task
    from rich.text import Text

# Under torchrun only the first process prints.
_silent = os.environ.get("RANK", "0") != "0"
# C0 and C1 controls, line and paragraph separators, bidirectional marks, and surrogates, which
# stand for bytes that are not UTF-8.
_NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@cache
def rich_console(stderr: bool = False) -> Console:
    """Rich's console on standard output or error, for what is more than lines."""
    from rich.console import Console

    # No markup: paths and names may contain brackets.
    return Console(stderr=stderr, quiet=_silent, markup=False, emoji=False)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar with time left and speed; yields the function that advances it.

    Not shown for a single item, or if standard error is not a terminal. ``total`` 0: unknown.
    """
    if total == 1 or not is_terminal():
        yield lambda: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), Speed())
    with Progress(*columns, console=rich_console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda: bar.advance(task)


class Notes(logging.Handler):
    """Prints what the library logs, each message once, to standard error."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._said:
            self._said.add(message)
            say(message, stderr=True)


def printable(text: str, keep: str = "") -> str:
    r"""Text that a terminal shows and does not obey, for all that may hold a file's name.

    Control characters, line ends, what turns the direction of writing, and bytes that are not UTF-8
    become escapes, as ``\x1b``. ``keep``: those that stay.
    """
    return _NOT_PRINTABLE.sub(lambda found: _escaped(found[0], keep), text)


def _escaped(sign: str, keep: str) -> str:
    if sign in keep:
        return sign
    return sign.encode("unicode_escape").decode("ascii")


def show_notes() -> None:
    """Let the library's log messages reach the terminal, each once from now on."""
    logger = logging.getLogger("nasion")
    for handler in [each for each in logger.handlers if isinstance(each, Notes)]:
        logger.removeHandler(handler)
    logger.addHandler(Notes())
    logger.setLevel(logging.INFO)


def line(word: str, text: str, colour: str | None = None) -> None:
    """A line that begins with a word in bold, or in a colour."""
    _print(printable(word), end="  ", bold=colour is None, fg=colour)
    _print(printable(text))


def say(text: str, stderr: bool = False) -> None:
    """A plain line."""
    _print(printable(text), stderr)


def say_bold(text: str, stderr: bool = False) -> None:
    """A line in bold."""
    _print(printable(text), stderr, bold=True)


def warn(text: str, stderr: bool = True) -> None:
    """A warning, on standard error unless it is part of a command's output."""
    _print(printable(text), stderr, fg="yellow")


def fail(text: str) -> None:
    """An error that ends the command, on standard error."""
    _print("nasion: ", stderr=True, end="", bold=True, fg="red")
    _print(printable(text), stderr=True)


def page(text: str, stderr: bool = False) -> None:
    """Several lines, of a file of nasion's own."""
    _print(printable(text, "\n"), stderr)


def show(text: str) -> None:
    """Text of nasion's own with styles in it."""
    _print(text)


def is_terminal() -> bool:
    """True if standard error is shown in a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def _print(
    text: str,
    stderr: bool = False,
    end: str = "\n",
    bold: bool | None = None,
    fg: str | None = None,
) -> None:
    """A text in a style, which only terminals get. NO_COLOR: see no-color.org."""
    if _silent:
        return
    colour = False if os.environ.get("NO_COLOR") else None
    text = typer.style(text, fg=fg, bold=bold) if bold or fg else text
    typer.echo(f"{text}{end}", nl=False, err=stderr, color=colour)


def count(number: int, noun: str) -> str:
    """``1 face``, ``2 faces``."""
    return counted(number, noun)
