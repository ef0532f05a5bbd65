"""Commands on landmark schemes: write one from data, show it, check it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console, tables
from nasion.app.cli.label_options import reads_labels
from nasion.app.cli.options import DataPath

if TYPE_CHECKING:
    from nasion.data.label_reading import LabelReading
    from nasion.landmarks.faces import Faces
    from nasion.landmarks.scheme import Scheme

_SchemeOrData = Annotated[
    str,
    typer.Argument(
        help="A scheme's name, a .toml file, or a dataset's folder or file.",
        metavar="NAME|FILE|DATA",
    ),
]


@reads_labels
def init(
    path: DataPath,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            readable=False,
            help="The file to write.",
            show_default="scheme.toml beside the data, where every command finds it",
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            help="Link points to this scheme of the catalog, as ibug68: by their names, and where "
            "these say nothing, proposed by their places. Linked points learn from other data sets "
            "and from shipped networks.",
        ),
    ] = None,
    *,
    reading: LabelReading,
) -> None:
    """Write scheme.toml from data: names, mirror pairs, lines, norm, parts; to be corrected."""
    from nasion.data.load import load_faces
    from nasion.data.scheme_beside import scheme_path
    from nasion.data.scheme_proposal import propose_scheme
    from nasion.errors import SettingError
    from nasion.landmarks.catalog import scheme_named
    from nasion.landmarks.scheme_file import write_scheme
    from nasion.media.file_names import named_path

    data = Path(path)
    target = output or scheme_path(data)
    if target.exists():
        raise SettingError(
            f"{target} is there already; correct it, name another file (-o), or delete it."
        )
    linked = None if like is None else scheme_named(like)
    faces = load_faces(None, path, scheme=reading.scheme, whole_images=True, reading=reading)
    named = named_path(data)
    proposal = propose_scheme(faces, named.stem or "own", linked)
    write_scheme(target, proposal.scheme, proposal.notes)
    scheme = proposal.scheme
    console.say(
        f"{target}: {console.count(len(scheme), 'point')}, "
        f"{console.count(len(scheme.mirror), 'mirror pair')}, "
        f"{console.count(len(scheme.edges), 'line')}, norm {_norm(scheme)}"
    )
    for line in proposal.said:
        console.say(line)
    subject = path if output is None else f"{path} --scheme {output}"
    console.say(
        f"Look at it: nasion scheme show {subject} -o scheme.png; check it: "
        f"nasion scheme check {subject}"
    )


@reads_labels
def show(
    subject: _SchemeOrData,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            readable=False,
            help="Also draw it: points with numbers and names, as PNG.",
        ),
    ] = None,
    *,
    reading: LabelReading,
) -> None:
    """Print a scheme's points, pairs and parts; draw it on the mean face of data or a drawn one."""
    from nasion.evaluation import plots

    scheme, faces = _scheme_and_faces(subject, reading)
    partner = {scheme.points[i]: scheme.points[j] for i, j in enumerate(scheme.flip.tolist())}
    part_of = {point: part for part, points in scheme.parts for point in points}
    known = dict(scheme.aliases)
    rows = [
        (
            str(i),
            point,
            "" if partner[point] == point else partner[point],
            part_of.get(point, ""),
            known.get(point, ""),
        )
        for i, point in enumerate(scheme.points)
    ]
    columns = ("", "point", "mirrors", "part", "known as")
    tables.show_table(f"Scheme {scheme.name}", columns, rows)
    lines, norm = console.count(len(scheme.edges), "line"), _norm(scheme)
    console.say(f"{console.count(len(scheme), 'point')}, {lines}, norm {norm}")
    if output is not None:
        from nasion.app.scheme_picture import draw_scheme

        plots.save(draw_scheme(scheme, faces), output)
        console.say(f"Written: {output.resolve()}")


@reads_labels
def check(subject: _SchemeOrData, *, reading: LabelReading) -> None:
    """Check a scheme file, and its mirror pairs on the labels beside it (exit code 1 if wrong)."""
    from nasion.data.mirror_check import mirror_faults, propose_mirror

    scheme, faces = _scheme_and_faces(subject, reading)
    if faces is None:
        console.say(
            f"Scheme {scheme.name} keeps the rules of a scheme. Its mirror pairs were not compared "
            "with labels: name the data (nasion scheme check DATA)."
        )
        return
    if propose_mirror(faces) is None:
        console.say(
            "Mirror pairs not compared: fewer than 10 faces have most of the points, or all heads "
            "are turned to one side."
        )
        return
    faults = mirror_faults(faces)
    for fault in faults:
        console.line("mirror", str(fault), "yellow")
    counts = faces.labelled.sum(axis=0).tolist()
    unseen = [point for point, n in zip(scheme.points, counts, strict=True) if n == 0]
    if unseen:
        console.line("points", f"no face has {', '.join(unseen)}", "yellow")
    console.say(
        f"Scheme {scheme.name}: {console.count(len(scheme.mirror), 'mirror pair')} compared with "
        f"{console.count(len(faces), 'face')}; {console.count(len(faults), 'point')} wrong"
    )
    raise typer.Exit(1 if faults else 0)


def _scheme_and_faces(subject: str, reading: LabelReading) -> tuple[Scheme, Faces | None]:
    """The scheme of that name or file, with the data beside it; or the one of these data."""
    from nasion.data.load import load_faces
    from nasion.errors import DataError, SettingError
    from nasion.landmarks.catalog import SCHEMES
    from nasion.landmarks.scheme_file import scheme_at

    path = Path(subject)
    if subject in SCHEMES and not path.exists():
        return scheme_at(subject), None
    if path.suffix.lower() != ".toml":
        faces = load_faces(None, subject, scheme=reading.scheme, whole_images=True, reading=reading)
        return faces.scheme, faces
    scheme = scheme_at(subject)
    try:
        known = replace(reading, scheme=scheme)
        faces = load_faces(None, path.parent, scheme=scheme, whole_images=True, reading=known)
    except (DataError, SettingError):
        return scheme, None  # a file that lies elsewhere than its data
    return scheme, faces if faces.labelled.any() else None


def _norm(scheme: Scheme) -> str:
    if scheme.norm is None:
        return "box"
    return " to ".join(", ".join(group) for group in scheme.norm)
