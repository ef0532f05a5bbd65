"""Terminal output: lines, warnings, errors, progress bars. Tables are in ``tables.py``."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

# Under torchrun only the first process prints.
_silent = os.environ.get("RANK", "0") != "0"
# No markup: paths and names may contain brackets.
out: Console = Console(quiet=_silent, markup=False, emoji=False)
err: Console = Console(stderr=True, quiet=_silent, markup=False, emoji=False)
# C0 and C1 controls, line and paragraph separators, bidirectional marks, and surrogates, which
# stand for bytes that are not UTF-8.
_NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar with time left and speed; yields the function that advances it.

    Not shown for a single item, or if standard error is not a terminal. ``total`` 0: unknown.
    """
    # 8 ms of the start of every command.
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), Speed())
    hidden = total == 1 or not err.is_terminal
    with Progress(*columns, console=err, disable=hidden, transient=True) as bar:
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
            err.print(printable(message), highlight=False, soft_wrap=True)


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


def line(word: str, text: str, style: str = "bold") -> None:
    """A line that begins with a word in a style of its own."""
    out.print(printable(word), style=style, end="  ")
    out.print(printable(text), highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A plain line."""
    out.print(printable(text), highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """A warning, on standard error."""
    err.print(printable(text), style="yellow", highlight=False, soft_wrap=True)


def fail(text: str) -> None:
    """An error that ends the command, on standard error."""
    err.print("nasion: ", style="bold red", end="")
    err.print(printable(text), highlight=False, soft_wrap=True)


def page(text: str) -> None:
    """Several lines, of a file of nasion's own."""
    out.print(printable(text, "\n"), highlight=False, soft_wrap=True)


def count(number: int, noun: str) -> str:
    """``1 face``, ``2 faces``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
