"""What the terminal shows: tables of scores, what a data set holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from nasion.compare import Compared
    from nasion.evaluation import Judgement
    from nasion.scheme import Scheme
    from nasion.survey import Survey

# Under torchrun only the first process speaks.
_silent = os.environ.get("RANK", "0") != "0"
# No markup: what is printed may hold a path or a name with brackets in it.
out = Console(quiet=_silent, markup=False, emoji=False)
err = Console(stderr=True, quiet=_silent, markup=False, emoji=False)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar with the time left and how many come a second, which the function that is given moves on; none for a single thing, or where
    nobody watches. ``total`` 0: nobody knows how many.
    """

    class Pace(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} a second" if task.speed else "")

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), Pace())
    with Progress(*columns, console=err, disable=total == 1 or not err.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda: bar.advance(task)


def headed(word: str, text: str, style: str = "bold") -> None:
    """A line that begins with a word in a style of its own."""
    out.print(word, style=style, end="  ")
    out.print(text, highlight=False, soft_wrap=True)


def show_scores(result: Judgement) -> None:
    from nasion.report import SHORT, short_row

    rows = [short_row("all", result.overall)]
    for group, parts in result.groups.items():
        rows += [short_row(f"{group}: {value}", scores) for value, scores in list(parts.items())[:10]]
    out.print(_table(f"Errors (relative ones in % of {result.norm}, failures and AUC at {100 * result.threshold:g} %)", SHORT, rows))
    points = [short_row(point, scores) for point, scores in result.points.items() if scores.values]
    if len(points) <= 30:
        show_table("By point", SHORT, points)
    overall = result.overall
    relative = f", MSE of relative coordinates {overall.mse_relative:.3e}" if overall.mse_relative == overall.mse_relative else ""
    out.print(f"MAE {overall.mae:.3f} pixels{relative}", highlight=False)
    if result.warning:
        out.print(result.warning, style="yellow", soft_wrap=True)
    for why, ids in result.left_out.items():
        out.print(f"Left out: {len(ids)} {why} ({', '.join(ids[:3])}{' ...' if len(ids) > 3 else ''})", soft_wrap=True)


def show_survey(found: Survey) -> None:
    """Counts, groups, duplicates, missing labels by point and by pattern."""
    faces = found.faces
    sizes = ", ".join(f"{size} ({count})" for size, count in list(found.sizes.items())[:5])
    complete = f"{int(faces.complete.sum())} have all {len(faces.scheme)} points"
    out.print(f"{len(faces)} faces of scheme {faces.scheme.name}; {complete}; pictures: {sizes}")
    for name, values in found.groups.items():
        out.print(f"{name}: " + ", ".join(f"{value} ({count})" for value, count in list(values.items())[:10]))
    exact = len({pair.second for pair in found.exact})
    out.print(f"duplicates: {exact} pictures are byte for byte another's, {len(found.near)} more pairs nearly so")
    out.print(
        _table(
            "Missing labels",
            ("point", "missing", "% of faces"),
            [(p, str(n), f"{100 * n / max(len(faces), 1):.1f}") for p, n in found.missing.items()],
        )
    )
    rows = [(str(count), _pattern(missing, faces.scheme)) for count, missing in found.patterns]
    out.print(_table("Patterns", ("faces", "missing"), [*rows, *([(str(found.other_patterns), "other patterns")] if found.other_patterns else [])]))


def show_comparison(compared: Compared) -> None:
    """Runs side by side, and the settings in which they differ."""
    from nasion.compare import COLUMNS, NOTES

    # As columns: a terminal is too narrow for a row with all numbers.
    rows = [(COLUMNS[k], *(row[k] for row in compared.rows)) for k in range(1, len(COLUMNS))]
    show_table("Side by side", ("", *compared.names), rows)
    if compared.settings:
        show_table("Settings that differ", ("", *compared.names), compared.settings)
    out.print(NOTES)


def show_table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    out.print(_table(title, columns, rows))


def _pattern(missing: tuple[str, ...], scheme: Scheme) -> str:
    """A pattern of missing points in the fewest words."""
    if len(missing) <= len(scheme) / 2:
        return ", ".join(missing) or "nothing"
    there = [point for point in scheme.points if point not in missing]
    return f"all but {', '.join(there)}" if there else "all"


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 or (column == "missing" and len(columns) == 2) else "right", no_wrap=i == 0)
    for cells in rows:
        table.add_row(*cells)
    return table
