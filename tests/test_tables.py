"""Tables in the terminal: numbers stay whole, names give way."""

import io

import pytest
from rich.console import Console

from nasion.app import console, tables

NAMES = [f"right_eye_{a}_{b}_third" for a in ("upper", "lower") for b in ("outer", "inner")]
NUMBERS = ("1292", "100.00", "12.34", "3.00", "0.00", "-12.33", "0.00", "0", "17")
HEADINGS = ("compared", "median px", "90 % px", "median %", "90 % %", "x px", "y px", "only first")


@pytest.fixture
def shown(monkeypatch):
    """What ``show_table`` prints, by lines. ``terminal``: False for a pipe."""

    def show(width, terminal, columns, rows):
        file = io.StringIO()
        screen = Console(
            file=file, width=width, force_terminal=terminal, color_system=None, markup=False
        )
        monkeypatch.setattr(console, "rich_console", lambda stderr=False: screen)
        tables.show_table("Title", columns, rows)
        return file.getvalue().splitlines()

    return show


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_no_number_is_shortened_however_narrow_the_terminal_is(shown, width, terminal):
    columns = ("", *HEADINGS, "only second")
    lines = shown(width, terminal, columns, [(name, *NUMBERS) for name in NAMES])
    body = [line.split() for line in lines if line.strip().startswith("right")]
    assert [tuple(row[1:]) for row in body] == [NUMBERS] * len(NAMES)
    assert len({row[0] for row in body}) == len(NAMES)
    text = " ".join(lines)
    assert all(word in text for heading in HEADINGS for word in heading.split())
    # A file has room for whole names.
    assert terminal or [row[0] for row in body] == NAMES
    assert width < 80 or max(map(len, lines)) <= max(width, 88)


def test_names_lose_their_middle_only_where_the_terminal_is_too_narrow(shown):
    rows = [(name, "0.123", "100.000") for name in NAMES]
    assert any(
        "right_eye_upper_outer_third" in line
        for line in shown(80, True, ("", "a", "failures"), rows)
    )
    lines = shown(40, True, ("", "a", "failures"), rows)
    assert any("right_eye_u…outer_third" in line and "100.000" in line for line in lines)
    assert max(map(len, lines)) <= 40


def test_texts_are_wrapped_as_before(shown):
    rows = [("a.jpg", "0.98", "moved", "left_eye_center, right_eye_center, nose_tip and 4 more")]
    lines = shown(60, True, ("face", "chance", "kind", "points"), rows)
    assert max(map(len, lines)) <= 60
    assert "nose_tip" in " ".join(lines) and "4 more" in " ".join(lines)
