"""Small steps that many tests share."""

import sys
from dataclasses import fields, replace

from rich.console import Console

from nasion.app import cli, console
from nasion.inference.crops import augmented_batch, crop_faces, plain_batch
from nasion.model_spec import ModelSpec

SPEC_FIELDS = {item.name for item in fields(ModelSpec)}


def run_command(monkeypatch, capsys, *words):
    """Run ``nasion`` in this process, on a wide terminal: (exit code, everything printed)."""
    monkeypatch.setattr(sys, "argv", ["nasion", *map(str, words)])
    monkeypatch.setenv("COLUMNS", "300")  # of what Typer prints

    def wide(stderr=False):
        return Console(width=300, stderr=stderr, markup=False, emoji=False)

    monkeypatch.setattr(console, "rich_console", wide)
    try:
        cli.main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def changed(recipe, **changes):
    """A recipe with other settings, its own or its spec's."""
    spec = {name: changes.pop(name) for name in list(changes) if name in SPEC_FIELDS}
    return replace(recipe, spec=replace(recipe.spec, **spec), **changes)


def cut(faces, recipe, augmented=False):
    """The crops a recipe trains on (``augmented``: with its margin), or predicts on."""
    return crop_faces(faces, recipe.spec, recipe.augment if augmented else None)


def batch(crops, at, recipe, rng=None):
    """A batch as the recipe trains on it; without a generator as it predicts."""
    if rng is None:
        return plain_batch(crops, at, recipe.spec)
    return augmented_batch(crops, at, recipe.spec, recipe.augment, recipe.corrupt, rng)
