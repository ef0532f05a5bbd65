"""One recipe per file, found by file name (``discovery.RECIPES``).

Each file defines ``RECIPE``; its docstring gives source, command, time and result.
"""

from __future__ import annotations

import logging
import sys
from hashlib import blake2b
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from nasion.discovery import RECIPES
from nasion.errors import NasionError, SettingError, requires_extra
from nasion.media.file_names import name_bytes
from nasion.recipe import Recipe

_OF_EXTRAS = ("torch", "lightning_fabric", "timm", "keras", "tensorflow", "jax")
_log = logging.getLogger(__name__)


def load_recipe(recipe: str | Path) -> Recipe:
    """The recipe of that name, or of that ``.py`` file."""
    return recipe_module(recipe).RECIPE


def recipe_module(recipe: str | Path) -> ModuleType:
    """The module of a recipe. A recipe file is Python: run only files that you trust."""
    with requires_extra(f"The recipe {recipe}", "pytorch"):
        if str(recipe).endswith(".py"):
            module = _run_file(Path(recipe))
        elif str(recipe) in RECIPES.names():
            module = RECIPES.load(str(recipe))
        else:
            names = ", ".join(RECIPES.names())
            raise SettingError(
                f"No recipe {str(recipe)!r}; there are {names}, "
                "or give the path of a recipe file (.py), which is Python and is run."
            )
    if not isinstance(getattr(module, "RECIPE", None), Recipe):
        raise SettingError(f"{recipe}: a recipe file must define RECIPE = Recipe(...).")
    return module


def _run_file(path: Path) -> ModuleType:
    """The module of a file, run once for each content: its classes stay equal to themselves.

    The module's name cannot be that of another module, whatever the file is called.
    """
    if not path.is_file():
        raise SettingError(f"{path}: no such recipe file.")
    source = path.read_bytes()
    # The path too: the same text elsewhere is another module, with other classes.
    digest = blake2b(name_bytes(str(path.resolve())) + b"\0" + source, digest_size=8).hexdigest()
    name = f"nasion_recipe_file_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look up their own module
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        # Packages of nasion's extras are named by the caller.
        own = isinstance(error, NasionError) or (missing or "").partition(".")[0] in _OF_EXTRAS
        if own or isinstance(error, KeyboardInterrupt):
            raise
        _log.debug("%s cannot be run", path, exc_info=True)
        reason = f"{type(error).__name__}: {_reason(error)}"
        raise SettingError(f"{_place(path, error)}: {reason}; correct the recipe file.") from error
    return module


def _reason(error: BaseException) -> str:
    # The text of a syntax error ends with file and line.
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _place(path: Path, error: BaseException) -> str:
    """The file, and the line of it at which the error was raised, if there is one."""
    lines = [at.lineno for at in extract_tb(error.__traceback__) if at.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f"{path}:{lines[-1]}" if lines and lines[-1] else str(path)
