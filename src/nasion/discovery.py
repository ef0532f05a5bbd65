"""Extension points: what is found by its file name, for every kind in one place.

A new dataset, detector, output format, architecture or recipe is one file in its package. Nothing
registers itself: the CLI, the server, the documentation and the tests all ask the constants below.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

from nasion.errors import SettingError

_ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Plugins:
    """The modules of a package, by file name. Files that start with ``_`` are helpers."""

    package: str  # dotted, below ``nasion``
    kind: str  # what one of them is called in messages

    @property
    def folder(self) -> Path:
        return _ROOT.joinpath(*self.package.split("."))

    def names(self) -> list[str]:
        """All names, sorted. Imports nothing."""
        # Sorted: the file system's order differs between machines.
        return sorted(p.stem for p in self.folder.glob("*.py") if not p.stem.startswith("_"))

    def require(self, name: str) -> None:
        """Raise ``SettingError`` that lists the names, unless ``name`` is one of them."""
        if name not in self.names():
            raise SettingError(f"No {self.kind} {name!r}; there are {', '.join(self.names())}.")

    def load(self, name: str) -> ModuleType:
        """Import the module of that name. Raises ``SettingError`` for an unknown one."""
        full_name = f"nasion.{self.package}.{name}"
        # The server asks for a format with every request, and listing the folder takes longer than
        # writing the answer.
        if name.startswith("_") or full_name not in sys.modules:
            self.require(name)
        return import_module(full_name)

    def headline(self, name: str) -> str:
        """The first line of a module's docstring, read without importing the module."""
        self.require(name)
        text = (self.folder / f"{name}.py").read_text(encoding="utf-8")
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]

    def with_function(self, name: str) -> list[str]:
        """The modules that define a function of this name. Imports nothing."""
        texts = {
            each: (self.folder / f"{each}.py").read_text(encoding="utf-8") for each in self.names()
        }
        return [each for each, text in texts.items() if f"\ndef {name}(" in text]

    def module_defining(self, class_name: str) -> str | None:
        """The name of the module that defines this class; None if there is none."""
        return self._classes.get(class_name)

    @cached_property
    def _classes(self) -> dict[str, str]:
        # Read, not imported: one architecture must not need another one's framework.
        found: dict[str, str] = {}
        for name in self.names():
            tree = ast.parse((self.folder / f"{name}.py").read_text(encoding="utf-8"))
            found |= {node.name: name for node in tree.body if isinstance(node, ast.ClassDef)}
        return found


DATASETS = Plugins("data.datasets", "dataset")
ARCHITECTURES = Plugins("models.architectures", "architecture")
RECIPES = Plugins("recipes", "recipe")
DETECTORS = Plugins("inference.detectors", "detector")
FORMATS = Plugins("prediction_formats", "format")
