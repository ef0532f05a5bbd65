"""Translate ``run.json`` of format 1 (nasion 0.1), which named parts by module path."""

from __future__ import annotations

from typing import Any

from nasion.errors import RunError

# Names of format 1 and what they are called today. There the spec's fields lay in the recipe.
_SPEC_FIELDS = {
    "scheme": "scheme",
    "input_size": "input_size",
    "codec": "codec",
    "colour": "colour",
    "pixel_range": "pixel_range",
    "box_scale": "box_scale",
    "square": "square",
    "passes": "refine_steps",
    "views": "tta",
    "apart": "separate_heads",
}
_RECIPE_FIELDS = {
    "model": "architecture",
    "disturb": "corrupt",
    "fade": "augment_decay",
    "doubtful": "suspect_labels",
    "average": "ema_decay",
    "start": "init_from",
}
_REMOVED = ("is", "score")  # "is" named the class by its module's path
_CLASSES = {"Disturb": "Corrupt", "Fade": "AugmentDecay", "Apart": "SeparateHeads"}


def upgrade(recipe: dict[str, Any], file: str) -> dict[str, Any]:
    """A recipe of format 1 as format 2. ``RunError`` names the file if a part has no class."""
    spec: dict[str, Any] = {"class": "ModelSpec"}
    new: dict[str, Any] = {"class": "Recipe", "spec": spec}
    for name, value in recipe.items():
        if name in _SPEC_FIELDS:
            spec[_SPEC_FIELDS[name]] = _part(value, file)
        elif name not in _REMOVED:
            new[_RECIPE_FIELDS.get(name, name)] = _part(value, file)
    return new


def _part(value: Any, file: str) -> Any:
    if isinstance(value, list):
        return [_part(item, file) for item in value]
    if not isinstance(value, dict):
        return value
    path = value.get("function", value.get("is"))
    if not isinstance(path, str):
        raise RunError(f"{file} recipe: a part without class; the run file was changed.")
    name = path.rpartition(".")[2]
    if "function" in value:
        return {"function": name, **_origin(path)}
    fields = {key: _part(item, file) for key, item in value.items() if key != "is"}
    if name == "Heatmaps" and "sigma" in fields:
        fields["sigma_cells"] = fields.pop("sigma")
    return {"class": _CLASSES.get(name, name), **_origin(path), **fields}


def _origin(path: str) -> dict[str, bool]:
    return {} if path.startswith("nasion.") else {"recipe_file": True}
