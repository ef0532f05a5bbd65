"""Small steps that many tests share."""

from dataclasses import fields, replace

from nasion.model_spec import ModelSpec

SPEC_FIELDS = {item.name for item in fields(ModelSpec)}


def changed(recipe, **changes):
    """A recipe with other settings, its own or its spec's."""
    spec = {name: changes.pop(name) for name in list(changes) if name in SPEC_FIELDS}
    return replace(recipe, spec=replace(recipe.spec, **spec), **changes)
