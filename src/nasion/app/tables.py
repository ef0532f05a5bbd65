"""Tables in the terminal: scores, datasets, faults of labels, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Table

from nasion.app import console
from nasion.app.console import count, line, printable, say, warn
from nasion.media.counted import counted

if TYPE_CHECKING:
    from pathlib import Path

    from nasion.cross_validation import CrossValidationResult
    from nasion.data.labelling_advice import Advice
    from nasion.data.summary import Summary
    from nasion.data.suspects import Audit, Suspect
    from nasion.evaluation.compare_runs import Comparison
    from nasion.evaluation.evaluate import EvaluationResult
    from nasion.landmarks.scheme import Scheme

# Characters of a column.
_LONGEST_NUMBER, _LONGEST_WORD, _LEAST_TEXT, _LEAST_NAME = 16, 12, 10, 12
_MAX_VALUES = 10  # of a group that are shown
_MAX_POINTS = 30  # schemes with more points get no table by point
_MAX_SUSPECTS, _MAX_SHIFTS, _MAX_NAMES = 30, 10, 3  # of an audit that are shown
_MUCH_SEEN = 0.02  # of the photographs


def show_scores(result: EvaluationResult) -> None:
    """Tables overall, by group and by point; what was left out."""
    from nasion.evaluation import left_out
    from nasion.evaluation.floor import with_floor_column, with_floor_row
    from nasion.evaluation.reported_metrics import headings, table_row

    columns = headings(brief=True)
    rows = with_floor_row([table_row("all", result.overall, brief=True)], result.floor)
    for group, parts in result.groups.items():
        for value, scores in list(parts.items())[:_MAX_VALUES]:
            rows.append(table_row(f"{group}: {value}", scores, brief=True))
    rest = result.without_suspects
    if rest:
        rows.append(table_row("without suspect labels", rest.scores, brief=True))
    threshold = f"{100 * result.threshold:g} %"
    title = f"Errors (relative ones in % of {result.norm}, failures and AUC at {threshold})"
    show_table(title, columns, rows)
    points = [(name, scores) for name, scores in result.points.items() if scores.coordinates]
    if len(points) <= _MAX_POINTS:
        by_point = [table_row(n, s, brief=True) for n, s in points]
        show_table("By point", *with_floor_column(columns, by_point, result.floor))
    overall = result.overall
    relative = ""
    # NaN, where images are missing, differs from itself.
    if overall.mse_relative == overall.mse_relative:
        relative = f", MSE of relative coordinates {overall.mse_relative:.3e}"
    say(f"MAE {overall.mae:.3f} pixels{relative}")
    if rest:
        say(f"{rest.sentence()} (nasion data audit).")
    if result.warning:
        warn(result.warning, stderr=False)
    for reason, ids in result.left_out.items():
        say(left_out_line(f"{reason}{left_out.remedy(reason, result)}", ids))


def left_out_line(reason: str, ids: Sequence[str]) -> str:
    """``Left out: 1 face without a label (a.jpg)``."""
    noun, _, rest = reason.partition(" ")
    number = count(len(ids), noun.removesuffix("s"))
    # Failures are counted, so they are not left out.
    start = "" if "counted as failures" in rest else "Left out: "
    more = " ..." if len(ids) > 3 else ""
    return f"{start}{number} {rest} ({', '.join(ids[:3])}{more})"


def show_audit(audit: Audit, listed: Sequence[Suspect], folder: Path, start: str) -> None:
    """The first suspects, shifts of sources, what was looked for, and where the files are."""
    rows = [(s.face, f"{s.chance:.2f}", s.kind, _few(s.points)) for s in listed[:_MAX_SUSPECTS]]
    if rows:
        title = f"{count(len(listed), 'suspect')} among {count(audit.faces, 'face')}"
        show_table(title, ("face", "chance", "kind", "points"), rows)
    for shift in audit.shifts[:_MAX_SHIFTS]:
        right, down = (100 * value for value in shift.by)
        across = f"{abs(right):.1f} % {'right' if right > 0 else 'left'}"
        along = f"{abs(down):.1f} % {'down' if down > 0 else 'up'}"
        say(
            f"{shift.group} {shift.source}: {shift.point} is {across} and {along} of where others "
            f"have it, in % of the face's size ({count(shift.faces, 'label')})"
        )
    if audit.seen > _MUCH_SEEN:
        warn(
            f"{start} has learnt from {100 * audit.seen:.0f} % of these photographs. If these are "
            "the labels that it learnt, faults show less; --from none starts from random weights."
        )
    say(f"Looked for: {', '.join(audit.looked_for)}.")
    for what, reason in audit.not_looked_for:
        say(f"Not looked for: {what} ({reason}).")
    if not listed:
        say(f"No suspects among {count(audit.faces, 'face')}.")
    say(f"{count(len(listed), 'suspect')}; pictures, points and all chances are in {folder}")


def _few(points: Sequence[str]) -> str:
    more = f" and {len(points) - _MAX_NAMES} more" if len(points) > _MAX_NAMES else ""
    return ", ".join(points[:_MAX_NAMES]) + more


def show_folds(result: CrossValidationResult) -> None:
    """A row for each fold, mean and standard deviation over them, and all faces pooled."""
    from nasion.evaluation.reported_metrics import METRICS, headings, table_row

    folds = [each.overall for each in result.folds]
    rows = [table_row(f"fold {k}", each, brief=True) for k, each in enumerate(folds, start=1)]
    brief = [metric for metric in METRICS if metric.brief]
    spread = [result.spread(metric.key) for metric in brief]
    for i, name in enumerate(("mean", "deviation")):
        shown = (metric.shown(each[i]) for metric, each in zip(brief, spread, strict=True))
        rows.append((name, "", *shown))
    pooled = result.pooled
    rows.append(table_row("all faces", pooled.overall, brief=True))
    threshold = f"{100 * pooled.threshold:g} %"
    title = f"Held-out errors (in % of {pooled.norm}, failures and AUC at {threshold})"
    show_table(title, headings(brief=True), rows)


def show_summary(summary: Summary) -> None:
    """Counts, groups, duplicates, missing labels by point and by pattern."""
    faces = summary.faces
    images = "no image is there"
    if summary.unreadable < len(faces):
        images = (
            f"the images of {count(summary.unreadable, 'face')} cannot be read (nasion data check)"
        )
    if summary.sizes is not None:
        sizes = [f"{size} ({n})" for size, n in list(summary.sizes.items())[:5]]
        images = f"images: {', '.join(sizes)}"
    complete = counted(int(faces.complete.sum()), "has", "have")
    say(
        f"{count(len(faces), 'face')} of scheme {faces.scheme.name}; {complete} all "
        f"{count(len(faces.scheme), 'point')}; {images}"
    )
    for name, values in summary.groups.items():
        shown = [f"{value} ({n})" for value, n in list(values.items())[:_MAX_VALUES]]
        say(f"{name}: {', '.join(shown)}")
    exact = len({pair.second for pair in summary.exact})
    copies = counted(exact, "image is an exact copy", "images are exact copies")
    say(f"duplicates: {copies}, {count(len(summary.near), 'more pair')} nearly so")
    total = max(len(faces), 1)
    if not any(summary.missing.values()):
        return
    # The rarest first; of equal ones, in the scheme's order.
    rarest = sorted(summary.missing.items(), key=lambda item: -item[1])
    rows = [(p, str(len(faces) - n), str(n), f"{100 * n / total:.1f}") for p, n in rarest]
    show_table("Missing labels", ("point", "labelled", "missing", "% of faces"), rows)
    rows = [(str(n), _describe(points, faces.scheme)) for n, points in summary.patterns]
    if summary.other_patterns:
        rows.append((str(summary.other_patterns), "other patterns"))
    show_table("Patterns", ("faces", "missing"), rows)


def show_advice(advice: Advice) -> None:
    """Whether left and right are confused, poses, and what to label next."""
    for fault in advice.mirror_faults[:_MAX_VALUES]:
        line("mirror pair", fault, "yellow")
    if advice.swapped:
        shown = ", ".join(advice.swapped[:_MAX_VALUES])
        line(
            "left and right", f"seem to be swapped in {count(len(advice.swapped), 'face')}: {shown}"
        )
    elif advice.sides_compared:
        say("left and right: no face fits better with its sides swapped")
    if advice.poses:
        say(f"heads: {', '.join(f'{n} {pose}' for pose, n in advice.poses.items())}")
    for text in advice.label_next:
        line("label next", text)


def show_comparison(comparison: Comparison) -> None:
    """Runs side by side, and the settings in which they differ."""
    from nasion.evaluation.compare_runs import COLUMNS, NOTES

    # Runs as columns: a terminal is too narrow for a row with all numbers.
    rows = []
    for k in range(1, len(COLUMNS)):
        rows.append((COLUMNS[k], *(row[k] for row in comparison.rows)))
    show_table("Side by side", ("", *comparison.names), rows)
    if comparison.settings:
        show_table("Settings that differ", ("", *comparison.names), comparison.settings)
    console.rich_console().print(NOTES)


def show_table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table whose first column is on the left, all others on the right.

    Numbers are shown whole. Where a terminal is too narrow, names in the first column lose their
    middle; a table that is still too wide, or goes to a file, is wider.
    """
    columns, rows = tuple(map(printable, columns)), [tuple(map(printable, row)) for row in rows]
    whole = [_whole_width(column, [row[i] for row in rows]) for i, column in enumerate(columns)]
    terminal = console.rich_console()
    names = [row[0] for row in rows]
    # Its box has a blank on the left of a table and of each column, and one at the end.
    others = sum(width or _LEAST_TEXT for width in whole[1:]) + len(columns) + 1
    is_tight = others + len(columns) + max(map(cell_len, names), default=0) > terminal.width
    if terminal.is_terminal:
        names = _shortened_names(names, max(terminal.width - others, _LEAST_NAME))
    longest = max(map(cell_len, (columns[0], *names)))
    headings = sum(map(cell_len, columns[1:])) + 2 * len(columns) + 1
    is_fixed = is_tight or longest + headings > terminal.width
    style = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD}
    table = Table(title=title, padding=(0, 0 if is_tight else 1, 0, 0), **style)
    for i, column in enumerate(columns):
        is_text = i == 0 or (column == "missing" and len(columns) == 2)
        width = longest if i == 0 else whole[i]
        table.add_column(
            column,
            justify="left" if is_text else "right",
            no_wrap=i == 0 or column == "faces",
            width=width if is_fixed else None,
            min_width=width or _LEAST_TEXT,
        )
    for name, row in zip(names, rows, strict=True):
        table.add_row(name, *row[1:])
    if longest + others > terminal.width:
        table.width = longest + others
    terminal.print(table, crop=False)


def _whole_width(column: str, cells: Sequence[str]) -> int | None:
    """The width in which no cell and no word of the heading is cut; None for a column of text."""
    longest = max(map(cell_len, cells), default=0)
    if longest > _LONGEST_NUMBER:
        return None
    words = max(map(cell_len, column.split()), default=0)
    return max(longest, min(words, _LONGEST_WORD))


def _shortened_names(names: Sequence[str], width: int) -> list[str]:
    """Names without their middle where they are longer than ``width``.

    The width grows until no two names are alike.
    """
    while True:
        found = [_without_middle(name, width) for name in names]
        if len(set(found)) == len(set(names)):
            return found
        width += 1


def _without_middle(name: str, width: int) -> str:
    if cell_len(name) <= width:
        return name
    start = (width - 1) // 2
    return f"{name[:start]}…{name[len(name) - (width - 1 - start) :]}"


def _describe(missing: tuple[str, ...], scheme: Scheme) -> str:
    """A pattern of missing points in the fewest words."""
    if len(missing) <= len(scheme) / 2:
        return ", ".join(missing) or "nothing"
    there = [point for point in scheme.points if point not in missing]
    return f"all but {', '.join(there)}" if there else "all"
