"""Groups of commands that are imported when they run: showing a group's help imports none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


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
        # Typer's needs each command whole, and imports rich.markdown and rich.traceback.
        from rich.console import Console
        from rich.padding import Padding
        from rich.text import Text

        console = Console(highlight=False, markup=False, emoji=False)
        usage = ctx.get_usage()
        console.print(Padding(Text.assemble((usage[:7], "yellow"), usage[7:], style="bold"), 1))
        console.print(Padding(self.help or "", (0, 1, 1, 1)))
        records = [option.get_help_record(ctx) for option in self.get_params(ctx)]
        options = [record for record in records if record]
        commands = [(name, member.help) for name, member in self.members.items()]
        width = max(len(name) for name, _ in (*options, *commands))
        console.print(_panel("Options", options, width))
        console.print(_panel("Commands", commands, width))


def _panel(title: str, rows: list[tuple[str, str]], width: int) -> Any:
    from rich.panel import Panel
    from rich.table import Table

    table = Table(box=None, show_header=False, expand=True, pad_edge=False)
    table.add_column(style="bold cyan", no_wrap=True, width=width)
    table.add_column(ratio=1)
    for name, text in rows:
        table.add_row(name, text)
    return Panel(table, title=title, title_align="left", border_style="dim")


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
