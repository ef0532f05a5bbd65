"""Commands on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console, tables
from nasion.app.cli.label_options import reads_labels
from nasion.app.cli.options import DataPath
from nasion.discovery import DATASETS

if TYPE_CHECKING:
    from nasion.data.label_reading import LabelReading


@reads_labels
def show(
    path: DataPath,
    split: Annotated[str, typer.Option(help="Which split.")] = "all",
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="The contact sheet to write.")
    ] = Path("contact_sheet.png"),
    *,
    reading: LabelReading,
) -> None:
    """Print counts, missing labels, sources, duplicates and sizes; draw a contact sheet.

    Also whether left and right are confused, and what to label next.
    """
    from nasion.data.labelling_advice import advise
    from nasion.data.load import load_faces
    from nasion.data.summary import summarize
    from nasion.evaluation import face_tiles, plots

    faces = load_faces(None, path, split, scheme=reading.scheme, reading=reading)
    summary = summarize(faces)
    tables.show_summary(summary)
    tables.show_advice(advise(faces))
    if summary.sizes is not None:
        plots.save(face_tiles.contact_sheet(faces), output)
        console.say(f"Contact sheet: {output}")


@reads_labels
def check(path: DataPath, *, reading: LabelReading) -> None:
    """Print every fault with its file and row (exit code 1 if any), and suspect labels.

    Also what was looked for, and what could not be.
    """
    from nasion.data import label_check

    result = label_check.check(Path(path), reading)
    for fault in result.faults:
        console.line("fault", str(fault), "red")
    for note in result.notes:
        console.line("note", str(note), "cyan")
    for suspect in result.suspects:
        console.line("suspect", str(suspect), "yellow")
    console.say(f"Looked for: {', '.join(result.looked_for)}.")
    for what, reason in result.not_looked_for.items():
        console.say(f"Not looked for: {what} ({reason}).")
    faults = console.count(len(result.faults), "fault")
    suspects = console.count(len(result.suspects), "suspect label")
    console.say(f"{faults}, {suspects} (readable, but look at them)")
    raise typer.Exit(1 if result.faults else 0)


@reads_labels
def convert(
    source: Annotated[str, typer.Argument(help="Folder or file of the labels.")],
    target: Annotated[Path, typer.Argument(help="Folder to write; new or empty.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", help=f"Format to write: {', '.join(DATASETS.with_function('write_labels'))}."
        ),
    ],
    split: Annotated[str, typer.Option(help="Which split.")] = "all",
    *,
    reading: LabelReading,
) -> None:
    """Write labels in another tool's format, with their images, and say what it cannot hold."""
    from nasion.data import convert as conversion

    done = conversion.convert(Path(source), target, to, split=split, reading=reading)
    for fault in done.faults:
        console.line("left out", str(fault), "yellow")
    faces, images = console.count(done.faces, "face"), console.count(done.images, "image")
    console.say(f"{faces} in {images} written; use it with --data {done.data}")
    if done.scheme is not None:
        console.say(f"What {to} does not hold of the scheme is beside it, in {done.scheme}")
    if done.turned:
        console.say(
            f"{console.count(done.turned, 'image')} turned by an EXIF tag written upright, as PNG."
        )
    if done.lost:
        lost = ", ".join(_counted(what, count) for what, count in done.lost.items())
        console.warn(f"Lost, since {to} does not hold it: {lost}.")


def _counted(what: str, count: int) -> str:
    """``1 face without a box``, of the words ``faces without a box``."""
    singular = {"faces": "face", "marks": "mark", "boxes": "box", "fractions": "fraction"}
    first, *others = what.split()
    words = [singular.get(first, first), *others] if count == 1 else [first, *others]
    return " ".join([str(count), *words])


def frames(
    folder: Annotated[Path, typer.Argument(help="Folder of .pts files named by frame numbers.")],
) -> None:
    """Write the video frames that .pts files are of as images beside them (300-VW)."""
    from nasion.data.label_frames import write_frames

    written = write_frames(folder)
    console.say(f"{console.count(len(written), 'image')} written below {folder}")


@reads_labels
def audit(
    path: DataPath,
    max_false: Annotated[
        float,
        typer.Option(
            help="List suspects until this part of them is expected to be right after all."
        ),
    ] = 0.1,
    folds: Annotated[
        int, typer.Option(help="Parts of the faces, each looked at by a network of the others.")
    ] = 3,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="What the networks start from: a shipped model, a run folder, an exported file; "
            "none: random weights.",
        ),
    ] = "face68_light",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of audit.json, suspects.csv and suspects.png.",
            show_default="DATA.audit, beside the data",
        ),
    ] = None,
    *,
    reading: LabelReading,
) -> None:
    """Find wrong labels by networks that have not seen the faces; nothing is changed.

    Single points, whole faces, exchanged sides, contours backwards or off by one, labels of another
    face, copies that disagree, sources that differ. A few minutes; an audit after corrections takes
    seconds.
    """
    import nasion
    from nasion.app.audit_progress import AuditProgress
    from nasion.audit.audit import labelled_faces
    from nasion.audit.report import write_report
    from nasion.data.suspects import audit_beside, unconfirmed
    from nasion.media.files import check_output_folder

    folder = out or audit_beside(path)
    check_output_folder(folder)
    with AuditProgress(console.rich_console(stderr=True), folds) as bar:
        found = nasion.audit_labels(
            path,
            folds=folds,
            start=None if start == "none" else start,
            folder=folder / "networks",
            reading=reading,
            observers=bar.observers,
        )
    listed = unconfirmed(found, path).listed(max_false)
    # Files first: what is printed may go to a pipe that closes.
    write_report(found, listed, labelled_faces(path, reading), folder)
    tables.show_audit(found, listed, folder, start)
