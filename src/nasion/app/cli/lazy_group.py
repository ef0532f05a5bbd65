"""Groups of commands that are imported when they run: showing a group's help imports none."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from textwrap import wrap
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from nasion.app import console

_FRAME, _ASCII_FRAME = "╭╮╰╯─│", "++++-|"  # corners, lines across and down


@dataclass(frozen=True)
class Command:
    """``place``: module of ``nasion.app.cli`` and function. ``help``: its first line of help."""

    place: str
    help: str


@dataclass(frozen=True)
class Group:
    """``help``: one line. ``members``: its commands and groups by name, in order."""

    help: str
    members: Mapping[str, Command | Group]


def typer_app(group: Group) -> typer.Typer:
    """A Typer application whose commands are imported when they run."""

    class Lazy(LazyGroup):
        members = group.members

    app = typer.Typer(
        cls=Lazy,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help=group.help,
    )
    # With a callback, Typer makes a group of an application that has no commands of its own.
    app.callback()(lambda: None)
    return app


class LazyGroup(TyperGroup):
    """Typer's group with ``members`` as its commands; its help looks like Typer's own."""

    members: ClassVar[Mapping[str, Command | Group]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = _Commands(self.members)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.members)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        # Typer's needs each command whole, and Rich, which takes a third of the time to import.
        usage = ctx.get_usage()
        start = typer.style(usage[:7], fg="yellow", bold=True) + typer.style(usage[7:], bold=True)
        records = [option.get_help_record(ctx) for option in self.get_params(ctx)]
        options = [record for record in records if record]
        commands = [(name, member.help) for name, member in self.members.items()]
        names = max(len(name) for name, _ in (*options, *commands))
        lines = ["", f" {start}", "", f" {self.help or ''}", ""]
        lines += [*_panel("Options", options, names), *_panel("Commands", commands, names)]
        console.show("\n".join(lines))


def _panel(title: str, rows: Sequence[tuple[str, str]], names: int) -> Iterator[str]:
    """Rows of names and texts in a frame as wide as the terminal. ``names``: width of the names."""
    corners = _FRAME if _can_print(_FRAME) else _ASCII_FRAME
    top_left, top_right, bottom_left, bottom_right, across, down = corners
    width = max(shutil.get_terminal_size().columns, names + 24)
    texts = width - names - 6
    edge = typer.style(down, dim=True)
    start = f"{top_left}{across} {title} "
    yield typer.style(f"{start}{across * (width - len(start) - 1)}{top_right}", dim=True)
    for name, text in rows:
        for i, part in enumerate(wrap(text, texts) or [""]):
            shown = typer.style(f"{'' if i else name:<{names}}", fg="cyan", bold=True)
            yield f"{edge} {shown}  {part:<{texts}} {edge}"
    yield typer.style(f"{bottom_left}{across * (width - 2)}{bottom_right}", dim=True)


def _can_print(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


class _Commands(Mapping[str, Any]):
    """Typer's commands by name, each imported when it is asked for."""

    def __init__(self, members: Mapping[str, Command | Group]) -> None:
        self._members, self._loaded = members, {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._members[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def _load(name: str, member: Command | Group) -> Any:
    from nasion.app.cli.number_options import PlainNumbersCommand

    if isinstance(member, Group):
        command = typer.main.get_command(typer_app(member))
        command.name = name
        return command
    module, function = member.place.split(":")
    single = typer.Typer(add_completion=False)
    run = getattr(import_module(f"nasion.app.cli.{module}"), function)
    single.command(name, cls=PlainNumbersCommand)(run)
    return typer.main.get_command(single)
