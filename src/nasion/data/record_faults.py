"""Records that break their format's rules: stop at the first, or list them and go on without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nasion.errors import DataError


@dataclass(frozen=True)
class Fault:
    """One broken rule. ``place``: file and line; ``problem``: the value found and the rule."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


Faults = list[Fault] | None  # None: raise at the first


def report_fault(faults: Faults, place: str, problem: str) -> None:
    """Add a fault to the list, or raise it as ``DataError`` if there is no list."""
    fault = Fault(place, problem)
    if faults is None:
        raise DataError(
            f"{fault} Fix it, or leave such rows out with --skip-faults "
            "(in Python: reading=LabelReading(skip_faults=True))."
        )
    faults.append(fault)


def report_error(faults: Faults, error: DataError, file: str | Path) -> None:
    """Add the error of a record in this file, which it begins with, to the list; or raise it."""
    if faults is None:
        raise error
    faults.append(Fault(Path(file).name, str(error).removeprefix(str(file)).lstrip(": ")))
