"""Recipes as JSON: parts by class name, so that moving a module changes no file."""

from __future__ import annotations

import dataclasses
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from nasion.discovery import ARCHITECTURES
from nasion.errors import RunError, SettingError, requires_extra
from nasion.inference.value_types import field_types, fits, type_name

# Where the parts of a recipe are defined; architectures are found by their files. A run file
# can name only these, and parts of a recipe file that the user gives.
_PART_MODULES = (
    "landmarks.scheme",
    "data.annotators",
    "data.augment",
    "data.corrupt",
    "models.codecs",
    "models.losses",
    "models.optim",
    "model_spec",
    "recipe",
)


def to_json(value: Any) -> Any:
    """A recipe or a part of one as JSON; tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        names = [item.name for item in dataclasses.fields(value)]
        fields = {name: to_json(getattr(value, name)) for name in names}
        return {"class": kind.__name__, **_origin(kind), **fields}
    # A loss without settings is a function.
    if callable(value):
        return {"function": value.__name__, **_origin(value)}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def from_json(value: Any, recipe_file: ModuleType | None = None, place: str = "recipe") -> Any:
    """The inverse of ``to_json``. ``place``: where the value is, for errors.

    Raises ``RunError`` for parts that are not recipe parts, and for settings of another type than
    the part declares.
    """
    if isinstance(value, list):
        items = enumerate(value)
        return tuple(from_json(item, recipe_file, f"{place}[{i}]") for i, item in items)
    if not isinstance(value, dict):
        return value
    own = bool(value.get("recipe_file"))
    name = value.get("function", value.get("class"))
    if not isinstance(name, str):
        raise RunError(f"{place}: a part without class; the run file was changed.")
    part = _find(name, own, recipe_file, place)
    if "function" in value:
        return part
    if not (isinstance(part, type) and dataclasses.is_dataclass(part)):
        raise RunError(f"{place}: {name} is not a part of a recipe; the run file was changed.")
    fields = {n: v for n, v in value.items() if n not in ("class", "recipe_file")}
    return _build(
        part, {n: from_json(v, recipe_file, f"{place}.{n}") for n, v in fields.items()}, place
    )


def _build(kind: type, fields: dict[str, Any], place: str) -> Any:
    """A part with these settings, whose types are checked first: most parts trust them."""
    declared = field_types(kind)
    for name, value in fields.items():
        if name in declared and not fits(value, declared[name]):
            shown = repr(value)[:60]
            raise RunError(
                f"{place}.{name}: {shown} found, {type_name(declared[name])} expected; "
                "the run file was changed."
            )
    try:
        return kind(**fields)
    except SettingError as error:
        raise RunError(f"{place}: {str(error)[:500]} The run file was changed.") from error
    except TypeError as error:
        raise RunError(
            f"{place}: {kind.__name__} of this run has other settings than this version's "
            f"({error}); open it with the version that made it."
        ) from error


def _origin(part: Any) -> dict[str, bool]:
    return {} if part.__module__.startswith("nasion.") else {"recipe_file": True}


def _find(name: str, own: bool, recipe_file: ModuleType | None, place: str) -> Any:
    """A part by its name: nasion's, or one of the recipe file that the user gave."""
    if own:
        if recipe_file is None:
            raise RunError(
                f"{place}: it uses {name}, which is not nasion's own; "
                "give the recipe file that defines it (--recipe FILE)."
            )
        part = vars(recipe_file).get(name)
        # What the file has only imported is not its own: a run must not reach other modules through
        # it.
        if getattr(part, "__module__", None) != recipe_file.__name__:
            raise RunError(f"{place}: {recipe_file.__file__} does not define {name}.")
        return part
    if architecture := ARCHITECTURES.module_defining(name):
        with requires_extra("This run", "pytorch"):
            return getattr(ARCHITECTURES.load(architecture), name)
    if name not in _parts():
        raise RunError(
            f"{place}: this version has no recipe part {name[:40]}; "
            "open the run with its own version."
        )
    return _parts()[name]


@cache
def _parts() -> dict[str, Any]:
    """Public classes and functions that the part modules define themselves."""
    found: dict[str, Any] = {}
    for path in _PART_MODULES:
        module = import_module(f"nasion.{path}")
        for name, part in vars(module).items():
            # Not what the module imports.
            if getattr(part, "__module__", None) == module.__name__ and not name.startswith("_"):
                found[name] = part
    return found
