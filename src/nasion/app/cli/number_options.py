"""Numbers on the command line: plain digits, as in label files and ``--set``.

Python, and so Typer, reads ``1_0`` as 10, and digits of all scripts; nobody means that.
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any

from typer.core import TyperCommand

# By name: Typer has Click's types, in newer versions as a copy of its own.
_NUMBERS = ("IntParamType", "IntRange", "FloatParamType", "FloatRange")


class PlainNumbersCommand(TyperCommand):
    """A command whose options of whole and decimal numbers take plain digits only."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for parameter in self.params:
            if type(parameter.type).__name__ in _NUMBERS:
                # A copy: all options without limits share one type.
                plain: Any = copy(parameter.type)
                plain.convert = partial(_convert, parameter.type)
                parameter.type = plain


def _convert(kind: Any, value: Any, parameter: Any, context: Any) -> Any:
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        kind.fail(f"{value!r} is not a valid {kind.name}.", parameter, context)
    return kind.convert(value, parameter, context)
