"""Commands on data sets, and lists of what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasion import terminal
from nasion.cli.options import DataPath, Kind, SchemeName, SkipFaults, scheme_or_none


def show(
    path: DataPath,
    split: Annotated[str, typer.Option(help="Which faces.")] = "all",
    picture: Annotated[Path, typer.Option("-o", "--output", help="Where the contact sheet goes.")] = Path("contact_sheet.png"),
    dataset: Kind = None,
    scheme: SchemeName = None,
    skip_faults: SkipFaults = False,
) -> None:
    """Counts, missing labels, sources, duplicates, sizes, and a contact sheet."""
    from nasion import draw, load
    from nasion.survey import survey

    faces = load.load_faces(dataset, path, split, scheme=scheme_or_none(scheme), skip_faults=skip_faults)
    found = survey(faces)
    terminal.show_survey(found)
    if "pictures not found" not in found.sizes:
        draw.save(draw.contact_sheet(faces), picture)
        terminal.out.print(f"Contact sheet: {picture}")


def check(path: DataPath, dataset: Kind = None, scheme: SchemeName = None) -> None:
    """Every fault with its file and row (exit code 1 if any), and labels that look wrong."""
    from nasion.survey import faults

    found, doubts = faults(dataset, Path(path), scheme_or_none(scheme))
    for fault in found:
        terminal.headed("fault", str(fault), "bold red")
    for doubt in doubts:
        terminal.headed("doubt", str(doubt), "yellow")
    terminal.out.print(f"{len(found)} faults, {len(doubts)} doubts (readable, but look at them)")
    raise typer.Exit(1 if found else 0)


def recipes() -> None:
    """The recipes there are, one line each."""
    from nasion import recipes as package

    for name in package.names():
        terminal.headed(name, f"{package.headline(name)}")


def datasets() -> None:
    """The data sets and formats there are, one line each."""
    from nasion import datasets as package

    for name in package.names():
        headline = (package.named(name).__doc__ or "").partition("\n")[0]
        terminal.headed(name, f"{headline}")


def models(name: Annotated[str | None, typer.Argument(help="One of them, for its model card.")] = None) -> None:
    """The networks that come with the package, one line each; or one's model card: data, licence, accuracy, weaknesses."""
    from nasion import weights

    if name is not None:
        terminal.out.print(weights.card(name), highlight=False, soft_wrap=True)
        return
    for known in weights.names():
        terminal.headed(known, weights.headline(known))


def schemes() -> None:
    """The landmark schemes there are."""
    from nasion.schemes import SCHEMES

    for scheme in SCHEMES.values():
        terminal.headed(scheme.name, f"{len(scheme)} points, {len(scheme.mirror)} mirror pairs")
