"""How far people's labels are apart, as ``nasion data compare --json`` wrote it: beside errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nasion.errors import SettingError
from nasion.evaluation.reported_metrics import METRICS, Scores, headings, table_row
from nasion.media.json_document import Document, read_document
from nasion.media.quoted import listed, quoted

FORMAT, VERSION = "nasion-disagreement", 1
LABEL = "annotators differ by"
_REMEDY = "write the file with nasion data compare DATA FIRST SECOND --json FILE."


@dataclass(frozen=True)
class Floor:
    """``overall`` and ``points``: scores of one person's labels against another's, by a norm.

    ``people``: who they are. A network that is judged on either's labels cannot be expected to come
    closer than they do to each other.
    """

    people: tuple[str, str]
    norm: str
    overall: Scores
    points: Mapping[str, Scores]

    def to_json(self) -> dict[str, object]:
        """As the file has it, of this norm."""
        return {
            "people": list(self.people),
            "norm": self.norm,
            "overall": self.overall.to_json(),
            "points": {name: scores.to_json() for name, scores in self.points.items()},
        }


def read_floor(path: str | Path, norm: str, points: tuple[str, ...]) -> Floor:
    """The floor by a norm. ``points``: of the scheme that is evaluated.

    Raises ``DataError`` for a file that is none; ``SettingError`` if it has another norm, or none
    of the points.
    """
    path = Path(path)
    value = read_document(path, remedy=_REMEDY)
    kind, version = value["format"].text(), value["version"].whole()
    if (kind, version) != (FORMAT, VERSION):
        raise value.error(f"{quoted(kind)} {version} found, {FORMAT} {VERSION} expected")
    people = [each.text() for each in value["people"].elements()]
    if len(people) != 2:
        raise value["people"].error(f"{len(people)} people found, 2 expected")
    norms = value["norms"].object()
    if norm not in norms:
        raise SettingError(
            f"{path}: it has no norm {norm}, by which is evaluated, but {listed(norms)}; choose "
            "one of these (--norm), or compare by the other one (nasion data compare --norm)."
        )
    found = value["norms"][norm]
    scores = {name: _scores(found["points"][name]) for name in found["points"].object()}
    shared = {name: each for name, each in scores.items() if name in points}
    if not shared:
        raise SettingError(
            f"{path}: its points ({listed(list(scores)[:3])}, ...) are none of those that are "
            f"evaluated ({listed(points[:3])}, ...); compare labels of the same scheme."
        )
    return Floor((people[0], people[1]), norm, _scores(found["overall"]), shared)


def _scores(value: Document) -> Scores:
    """Scores as ``Scores.to_json`` wrote them."""
    metrics = {}
    for metric in METRICS:
        known = value.get(metric.key)
        number = float("nan") if known is None else known.number(low=0)
        metrics[metric.key] = number / metric.scale
    faces, pooled = value["faces"].whole(), value.get("rmse_faces")
    # Files of earlier versions have one count of faces.
    pooled_faces = faces if pooled is None else pooled.whole()
    return Scores(faces, pooled_faces, value["coordinates"].whole(), metrics)


def with_floor_row(rows: list[tuple[str, ...]], floor: Floor | None) -> list[tuple[str, ...]]:
    """Rows of a table of scores, and below them that of the people; ``brief`` by their length."""
    if floor is None or not rows:
        return rows
    brief = len(rows[0]) == len(headings(brief=True))
    return [*rows, table_row(LABEL, floor.overall, brief=brief)]


def with_floor_column(
    columns: tuple[str, ...], rows: list[tuple[str, ...]], floor: Floor | None
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table by point, and in a last column the NME between the people at this point."""
    if floor is None:
        return columns, rows
    (nme,) = (metric for metric in METRICS if metric.key == "nme")
    shown = {name: nme.shown(scores.nme) for name, scores in floor.points.items()}
    return (*columns, f"{LABEL} %"), [(*row, shown.get(row[0], "-")) for row in rows]
