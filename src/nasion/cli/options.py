"""Options and small steps that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nasion.predict import Model
    from nasion.scheme import Scheme

Data = Annotated[str, typer.Option("--data", help="Folder or file of the data set (toy:COUNT for drawn faces).")]
SeveralData = Annotated[list[str], typer.Option("--data", help="Folder or file of the data set (toy:COUNT for drawn faces); may be given again.")]
DataPath = Annotated[str, typer.Argument(help="Folder or file of the data set (toy:COUNT for drawn faces).")]
Kind = Annotated[str | None, typer.Option("--dataset", help="Which data set it is, where the path does not tell.")]
SchemeName = Annotated[str | None, typer.Option("--scheme", help="The scheme of points whose file does not tell, as ibug68.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="The recipe file that the run was made with, if it defines parts of its own.")]
SkipFaults = Annotated[bool, typer.Option("--skip-faults", help="Leave faulty rows out instead of stopping at the first.")]
Run = Annotated[Path, typer.Argument(help="A run's folder.")]
Average = Annotated[
    str | None,
    typer.Option(
        help="See each face mirrored too and average (flip), or mirrored and moved (flip+shift): surer, twice or six times the time; or not (none)."
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="The file to write.")]


def model_of(run: Path, recipe: Path | None, average: str | None = None) -> Model:
    """A run's network; ``recipe``: the file that it was made with, if that defines parts of its own."""
    from nasion import recipes
    from nasion.predict import load_model

    return load_model(run, recipe=recipes.module(recipe) if recipe else None, average=average)


def scheme_or_none(name: str | None) -> Scheme | None:
    from nasion.schemes import scheme_named

    return None if name is None else scheme_named(name)
