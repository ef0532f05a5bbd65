"""Commands that list what there is: models, recipes, datasets, schemes."""

from __future__ import annotations

from typing import Annotated

import typer

from nasion.app import console
from nasion.discovery import DATASETS, RECIPES


def models(
    name: Annotated[str | None, typer.Argument(help="A model, to print its model card.")] = None,
) -> None:
    """List the pretrained models; with a name, print its model card."""
    from nasion.inference import pretrained

    if name is not None:
        console.page(pretrained.card(name))
        return
    for each in pretrained.names():
        console.line(each, pretrained.headline(each))


def recipes() -> None:
    """List the recipes."""
    for name in RECIPES.names():
        console.line(name, RECIPES.headline(name))


def datasets() -> None:
    """List the datasets and label formats that can be read."""
    for name in DATASETS.names():
        console.line(name, DATASETS.headline(name))


def schemes() -> None:
    """List the landmark schemes."""
    from nasion.landmarks.catalog import SCHEMES

    for scheme in SCHEMES.values():
        points = console.count(len(scheme), "point")
        pairs = console.count(len(scheme.mirror), "mirror pair")
        console.line(scheme.name, f"{points}, {pairs}")
