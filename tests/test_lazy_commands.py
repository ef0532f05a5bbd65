"""Commands are imported when they run: help lists them all, with the first line of their own."""

import inspect
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from nasion.app.cli import app


def commands() -> dict:
    """Every command and group below ``nasion``, by its words: (the listed line, the command)."""

    def below(group, words: str) -> dict:
        found = {}
        for name, member in group.members.items():
            command = group.commands[name]
            found[f"{words} {name}".strip()] = (member.help, command)
            if hasattr(command, "members"):
                found |= below(command, f"{words} {name}")
        return found

    return below(typer.main.get_command(app), "")


COMMANDS = commands()


@pytest.mark.parametrize("words", COMMANDS)
def test_the_line_in_the_list_is_the_first_one_of_the_command_s_own_help(words):
    listed, command = COMMANDS[words]
    assert command.name == words.split()[-1]
    paragraph = inspect.cleandoc(command.help).split("\n\n")[0]
    assert listed == " ".join(paragraph.split())


@pytest.mark.parametrize("words", [[], ["data"]])
def test_the_help_of_a_group_lists_its_commands_and_options(words):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert " ".join(["Usage:", "root", *words, "[OPTIONS] COMMAND [ARGS]..."]) in result.stdout
    listed = [name.split() for name in COMMANDS]
    for name in listed:
        if name[:-1] == words:
            assert f"│ {name[-1]} " in result.stdout
    assert "--help" in result.stdout and "Show this message and exit." in result.stdout


def test_help_imports_neither_a_command_nor_numpy():
    code = (
        "import sys; from nasion.app.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print(sorted({'numpy', 'nasion.app.cli.predict', 'rich', 'jaxtyping'}"
        " & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.splitlines()[-1] == "[]", printed.stderr


def test_an_unknown_command_is_refused_with_the_one_that_was_meant():
    result = CliRunner().invoke(app, ["predit"])
    assert result.exit_code == 2
    assert "No such command 'predit'. Did you mean 'predict'?" in result.output


@pytest.mark.parametrize(("encoding", "corner"), [("utf-8", "╭"), ("ascii", "+")])
@pytest.mark.parametrize("columns", [20, 50, 100])
def test_the_help_of_a_group_fits_the_terminal_and_its_encoding(encoding, corner, columns):
    settings = {**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "nasion", "--help"]
    printed = subprocess.run(command, capture_output=True, env=settings, check=True).stdout
    rows = [
        line for line in printed.decode(encoding).splitlines() if line[:1] in (corner, "│", "|")
    ]
    assert rows[0].startswith(corner) and len({len(row) for row in rows}) == 1
    # Narrower than names and a few words no terminal is.
    assert len(rows[0]) == max(columns, 33)
    assert "\x1b" not in printed.decode(encoding)
