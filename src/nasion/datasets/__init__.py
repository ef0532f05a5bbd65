"""One file per data set or format. Each has ``SCHEME`` (None: the user says which), ``SPLITS``,
``recognises(path)``, ``read(path, split, scheme=, faults=) -> Faces``, and, where it reads much, ``files(path, split)``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from nasion.errors import SettingError


def names() -> list[str]:
    """The data sets there are, told by their files."""
    return [module.name for module in iter_modules(__path__) if not module.name.startswith("_")]


def named(name: str) -> ModuleType:
    """The module that reads this data set; ``SettingError`` lists those there are."""
    if name not in names():
        raise SettingError(f"No data set {name!r}; there is {', '.join(names())}.")
    return import_module(f"nasion.datasets.{name}")


def recognised(path: Path) -> str:
    """The name of the data set that this path looks like; ``SettingError`` says how to name it."""
    # Formats of any scheme last: a data set's own reader knows more of it.
    found = [name for name in sorted(names(), key=lambda name: named(name).SCHEME is None) if named(name).recognises(path)]
    if not found:
        raise SettingError(f"{path} is no data set that nasion recognises; check the path, or name its kind with --dataset ({', '.join(names())}).")
    return found[0]
