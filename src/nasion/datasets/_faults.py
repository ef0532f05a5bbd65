"""What to do with a record that breaks the rules: stop at the first, or note it, leave it out and go on."""

from __future__ import annotations

from dataclasses import dataclass

from nasion.errors import DataError


@dataclass(frozen=True)
class Fault:
    """One broken rule: ``place`` is file and line, ``what`` the value found and the rule."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


Faults = list[Fault] | None  # None: raise at the first


def note(faults: Faults, place: str, what: str) -> None:
    """Add a fault to the list, or raise it as ``DataError`` where there is none."""
    fault = Fault(place, what)
    if faults is None:
        raise DataError(f"{fault} Mend it, or leave such rows out with --skip-faults (skip_faults=True).")
    faults.append(fault)
