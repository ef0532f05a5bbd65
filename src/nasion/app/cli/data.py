"""Commands on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasion.app import console
from nasion.app.cli.options import (
    DataPath,
    DatasetKind,
    Exif,
    Missing,
    SchemeName,
    SkipFaults,
    label_reading,
    scheme_or_none,
)


def show(
    path: DataPath,
    split: Annotated[str, typer.Option(help="Which split.")] = "all",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The contact sheet to write.")
    ] = Path("contact_sheet.png"),
    dataset: DatasetKind = None,
    scheme: SchemeName = None,
    skip_faults: SkipFaults = False,
    missing: Missing = None,
    exif: Exif = None,
) -> None:
    """Print counts, missing labels, sources, duplicates and sizes; draw a contact sheet."""
    from nasion.data.load import load_faces
    from nasion.data.summary import summarize
    from nasion.evaluation import face_tiles, plots

    requested = scheme_or_none(scheme)
    faces = load_faces(
        dataset,
        path,
        split,
        scheme=requested,
        skip_faults=skip_faults,
        reading=label_reading(missing, exif),
    )
    summary = summarize(faces)
    console.show_summary(summary)
    if summary.sizes is not None:
        plots.save(face_tiles.contact_sheet(faces), output)
        console.say(f"Contact sheet: {output}")


def check(
    path: DataPath,
    dataset: DatasetKind = None,
    scheme: SchemeName = None,
    missing: Missing = None,
    exif: Exif = None,
) -> None:
    """Print every fault with its file and row (exit code 1 if any), and suspect labels."""
    from nasion.data import summary

    reading = label_reading(missing, exif)
    faults, suspects = summary.check(dataset, Path(path), scheme_or_none(scheme), reading)
    for fault in faults:
        console.line("fault", str(fault), "bold red")
    for suspect in suspects:
        console.line("suspect", str(suspect), "yellow")
    found = f"{console.count(len(faults), 'fault')}, {len(suspects)} suspect labels"
    console.say(f"{found} (readable, but look at them)")
    raise typer.Exit(1 if faults else 0)


def frames(
    folder: Annotated[Path, typer.Argument(help="Folder of .pts files named by frame numbers.")],
) -> None:
    """Write the video frames that .pts files are of as images beside them (300-VW)."""
    from nasion.data.label_frames import write_frames

    written = write_frames(folder)
    console.say(f"{console.count(len(written), 'image')} written below {folder}")
