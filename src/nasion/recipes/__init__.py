"""One experiment per file, found by its name: ``RECIPE`` is its value, the docstring says source, command, time, result."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from nasion.errors import SettingError, needing


def names() -> list[str]:
    """The recipes there are."""
    return [module.name for module in iter_modules(__path__)]


def headline(name: str) -> str:
    """The first line of a recipe's docstring, read without importing it."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def module(recipe: str | Path) -> ModuleType:
    """The recipe of that name, or of that ``.py`` file. A recipe file is Python: run only those that you trust."""
    if str(recipe).endswith(".py"):
        path = Path(recipe)
        if not path.is_file():
            raise SettingError(f"{path}: no such recipe file.")
        found = ModuleType(path.stem)
        found.__file__ = str(path)
        sys.modules[path.stem] = found  # dataclasses look their own module up
        with needing(f"The recipe {recipe}", "pytorch"):
            exec(compile(path.read_text(encoding="utf-8"), path, "exec"), found.__dict__)
    elif str(recipe) in names():
        with needing(f"The recipe {recipe}", "pytorch"):
            found = import_module(f"nasion.recipes.{recipe}")
    else:
        raise SettingError(f"No recipe {str(recipe)!r}; there is {', '.join(names())}, or give the path of a recipe file (.py).")
    if not hasattr(found, "RECIPE"):
        raise SettingError(f"{recipe}: a recipe file must define RECIPE = Recipe(...).")
    return found
