"""Commands that draw what one looks at: what the network is shown, its filters, their responses, best and worst faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasion import terminal
from nasion.cli.options import Data, Kind, Output, RecipeFile, Run, SkipFaults, model_of

Count = Annotated[int, typer.Option(min=1, help="How many faces.")]
Split = Annotated[str, typer.Option(help="Which faces.")]


def samples(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or file, or a run's folder.")],
    data: Data,
    count: Count = 8,
    split: Split = "train",
    seed: Annotated[int, typer.Option(min=0, help="Which faces and changes are drawn.")] = 0,
    output: Output = Path("samples.png"),
    dataset: Kind = None,
    skip_faults: SkipFaults = False,
) -> None:
    """Faces as the network is shown them, with their points: unchanged, and as augmentation changes them."""
    from nasion import draw, load, look, recipes
    from nasion import run as runs

    value = runs.recipe_of(Path(recipe)) if Path(recipe).is_dir() else recipes.module(recipe).RECIPE
    faces = load.load_faces(dataset, data, split, scheme=value.scheme, skip_faults=skip_faults)
    draw.save(look.samples(faces, value, count, seed), output)
    _say(output)


def filters(run: Run, output: Output = Path("filters.png"), recipe: RecipeFile = None) -> None:
    """The first layer's filters as a labelled grid."""
    model = model_of(run, recipe)
    from nasion import draw, look

    draw.save(look.filters(model.network), output)
    _say(output)


def responses(
    run: Run,
    data: Data,
    face: Annotated[str | None, typer.Option(help="The face's id.", show_default="the first")] = None,
    split: Split = "val",
    output: Output = Path("responses.png"),
    dataset: Kind = None,
    recipe: RecipeFile = None,
) -> None:
    """What each filter of the first layer answers to a face."""
    model = model_of(run, recipe)
    from nasion import draw, load, look

    faces = load.load_faces(dataset, data, split, scheme=model.recipe.scheme)
    draw.save(look.responses(model, faces, face), output)
    _say(output)


def faces(
    run: Run,
    data: Data,
    count: Count = 8,
    split: Split = "val",
    output: Output = Path("faces.png"),
    dataset: Kind = None,
    recipe: RecipeFile = None,
) -> None:
    """The best faces above, the worst below, labels green, predictions orange; and a table of the largest errors."""
    model = model_of(run, recipe)
    from nasion import draw, load, report
    from nasion.evaluation import evaluate

    result = evaluate(model, load.load_faces(dataset, data, split))
    tiles = [tile for _, _, tiles in report.best_and_worst(result, count) for tile in tiles]
    if tiles:
        draw.save(draw.sheet(tiles, columns=min(count, len(tiles) // 2)), output)
        _say(output)
    terminal.show_table("Largest errors", report.ERRORS, report.largest_errors(result, count))


def _say(output: Path) -> None:
    terminal.out.print(f"The picture: {output.resolve()}", soft_wrap=True)
