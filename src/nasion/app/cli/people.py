"""Commands on labels of several people: how far they are apart, and what they agree on."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console, tables
from nasion.app.cli.label_options import reads_labels
from nasion.app.cli.options import DataPath

if TYPE_CHECKING:
    import numpy as np

    from nasion.data.corrections.merge import Merged
    from nasion.data.corrections.people import PersonLabels
    from nasion.data.label_reading import LabelReading
    from nasion.evaluation.disagreement import Disagreement
    from nasion.landmarks.faces import Faces

_Norm = Annotated[
    str | None,
    typer.Option(
        help="box, outer_eye_corners, pupils, or two groups of points a,b:c,d.",
        show_default="the scheme's own",
    ),
]
_Json = Annotated[Path | None, typer.Option(help="Also write everything to this file.")]
_SHOWN = 20  # conflicts, and changes that do not fit


@reads_labels
def compare(
    path: DataPath,
    first: Annotated[Path, typer.Argument(help="A change list, or labels of the same images.")],
    second: Annotated[
        Path | None,
        typer.Argument(help="Another one.", show_default="the data's own labels"),
    ] = None,
    norm: _Norm = None,
    json: _Json = None,
    *,
    reading: LabelReading,
) -> None:
    """Compare two people's labels of the same faces: distances, bias, points of only one.

    What --json writes is the floor that nasion evaluate --floor shows beside a network's errors.
    """
    from nasion.data.corrections.people import as_given
    from nasion.evaluation.disagreement import compare_labels
    from nasion.media.file_names import named_path
    from nasion.media.files import write_text

    faces = _faces(path, reading)
    one = _person(first, path, faces, reading)
    other = as_given(named_path(path).name, faces) if second is None else None
    other = other or _person(second or first, path, faces, reading)
    for person in (one, other):
        _say_left_out(person)
    result = compare_labels(one, other, faces, norm)
    if json:
        write_text(json, dumps(result.to_json(), indent=1))
    _show(result)
    if json:
        console.say(f"Beside a network's errors: nasion evaluate RUN --data DATA --floor {json}")


@reads_labels
def merge(
    path: DataPath,
    lists: Annotated[list[Path], typer.Argument(help="Two change lists or more.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            readable=False,
            help="The list to write.",
            show_default="DATA.changes/FIRST+SECOND.jsonl",
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(help="Points at most so far apart, in % of the norm, become their median."),
    ] = 2.0,
    norm: _Norm = None,
    json: _Json = None,
    *,
    reading: LabelReading,
) -> None:
    """Merge change lists: what people agree on; what they do not stays open, with all versions.

    The lists themselves stay as they are.
    """
    from nasion.data.corrections import change_list, merge, writer
    from nasion.evaluation.disagreement import tolerances
    from nasion.media.files import write_text

    faces, root = _faces(path, reading), Path(path)
    found = [change_list.read_change_list(each) for each in lists]

    def limits(faces: Faces) -> np.ndarray:
        return tolerances(faces, tolerance, norm)

    merged = merge.merge(found, faces, root, limits(faces), limits)
    target = output or change_list.list_path(root, merged.header.who)
    writer.write_change_list(target, merged.header, merged.gestures)
    if json:
        write_text(json, dumps(merged.to_json(), indent=1))
    _show_merged(merged)
    console.say(f"Written: {target}; use it with --corrections {target}")


def _faces(path: str, reading: LabelReading) -> Faces:
    """All faces of the data, with the boxes that their files give.

    None of pictures without labels, whose faces are in the lists.
    """
    from nasion.data import datasets
    from nasion.data.load import load_faces
    from nasion.data.scheme_beside import scheme_beside

    module = datasets.module_at(path, reading.dataset)
    if module is datasets.PICTURES and not reading.change_lists:
        root = Path(path)
        return module.read(root, scheme=reading.scheme or scheme_beside(root))
    return load_faces(None, path, scheme=reading.scheme, whole_images=True, reading=reading)


def _person(given: Path, path: str, faces: Faces, reading: LabelReading) -> PersonLabels:
    """The labels of a change list, or of a file of labels."""
    from nasion.data.corrections.change_list import is_change_list, read_change_list
    from nasion.data.corrections.people import of_labels, of_list
    from nasion.data.label_reading import LabelReading
    from nasion.data.load import load_faces

    if is_change_list(given):
        return of_list(read_change_list(given), faces, Path(path))
    own = LabelReading(scheme=reading.scheme, assumed=faces.scheme, missing=reading.missing)
    labels = load_faces(None, given, scheme=reading.scheme, whole_images=True, reading=own)
    # Two files may be called alike, and lie in folders of two people.
    name = given.name if given.name != Path(path).name else str(given)
    return of_labels(name, labels, faces.scheme)


def _say_left_out(person: PersonLabels) -> None:
    if not person.left_out:
        return
    count = console.count(len(person.left_out), "change")
    console.warn(f"{person.who}: {count} that do not fit the data are left out:")
    for fault in person.left_out[:_SHOWN]:
        console.warn(f"  {fault}")
    if len(person.left_out) > _SHOWN:
        console.warn("  ...; nasion data check DATA --corrections LIST lists all")


def _show(result: Disagreement) -> None:
    """A row for each point that was compared, and all of them together first."""
    first, second = result.people
    columns = (
        "",
        "compared",
        "median px",
        "90 % px",
        "median %",
        "90 % %",
        "x px",
        "y px",
        "only first",
        "only second",
    )
    rows = []
    for name, each in {"all": result.overall, **result.points}.items():
        spread = each.spread
        if not spread.count and not any(each.only):
            continue
        numbers = (*spread.pixels, *spread.percent, *each.bias)
        shown = [f"{value:.2f}" if value == value else "-" for value in numbers]
        rows.append((name, str(spread.count), *shown, *map(str, each.only)))
    title = f"{first} and {second} on {console.count(result.faces, 'face')} (% of {result.norm})"
    tables.show_table(title, columns, rows)
    console.say(f"x and y: how far {first} is from the middle of both; {second} is as far beyond.")
    console.say(f"Only first: points that only {first} placed; only second: only {second}.")
    for who, spread in result.repeats.items():
        console.say(
            f"{who} again, blind: {spread.pixels[0]:.2f} px median, {spread.pixels[1]:.2f} px for "
            f"90 %; {spread.percent[0]:.2f} % and {spread.percent[1]:.2f} % "
            f"({console.count(spread.count, 'point')})"
        )
    if result.untouched:
        untouched = console.count(result.untouched, "point")
        console.say(f"Not compared: {untouched} that both left as they were given.")
    for who, ids in result.alone.items():
        if ids:
            shown = ", ".join(ids[:3]) + (" ..." if len(ids) > 3 else "")
            console.say(f"{console.count(len(ids), 'face')} only {who} has: {shown}")


def _show_merged(merged: Merged) -> None:
    faces = console.count(len(merged.gestures), "face")
    console.say(f"{faces}, {console.count(merged.agreed, 'point')} changed as all agree.")
    if not merged.conflicts:
        return
    console.warn(
        f"{console.count(len(merged.conflicts), 'conflict')} open; these stay as the labels have "
        "them, and the list holds every version:"
    )
    from nasion.data.corrections.combine import shown

    for each in merged.conflicts[:_SHOWN]:
        versions = ", ".join(f"{who} {shown(value)}" for who, value in each.versions.items())
        console.warn(f"  {each.name} of {each.face}: {versions}")
    if len(merged.conflicts) > _SHOWN:
        console.warn(f"  and {len(merged.conflicts) - _SHOWN} more (--json FILE has all)")
