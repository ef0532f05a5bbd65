"""Translate ``run.json`` of format 1 (nasion 0.1), which named parts by module path."""

from __future__ import annotations

from typing import Any

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


def upgrade(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe of format 1 as format 2."""
    spec: dict[str, Any] = {"class": "ModelSpec"}
    new: dict[str, Any] = {"class": "Recipe", "spec": spec}
    for name, value in recipe.items():
        if name in _SPEC_FIELDS:
            spec[_SPEC_FIELDS[name]] = _part(value)
        elif name not in _REMOVED:
            new[_RECIPE_FIELDS.get(name, name)] = _part(value)
    return new


def _part(value: Any) -> Any:
    if isinstance(value, list):
        return [_part(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "function" in value:
        return {"function": value["function"].rpartition(".")[2], **_origin(value["function"])}
    name = value["is"].rpartition(".")[2]
    fields = {key: _part(item) for key, item in value.items() if key != "is"}
    if name == "Heatmaps":
        fields["sigma_cells"] = fields.pop("sigma")
    return {"class": _CLASSES.get(name, name), **_origin(value["is"]), **fields}


def _origin(path: str) -> dict[str, bool]:
    return {} if path.startswith("nasion.") else {"recipe_file": True}
