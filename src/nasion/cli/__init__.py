"""The command line. What a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import sys

import typer

from nasion import terminal
from nasion.cli import data, look, photos, runs, server
from nasion.errors import NasionError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Train, judge and run facial keypoint detectors.")
data_app = typer.Typer(no_args_is_help=True, help="Look at a data set, find its faults.")
look_app = typer.Typer(no_args_is_help=True, help="Draw what the network is shown, its filters, its best and worst faces.")
app.add_typer(data_app, name="data")
app.add_typer(look_app, name="look")

for command in (
    runs.train,
    runs.evaluate,
    runs.report,
    photos.predict,
    server.serve,
    runs.submit,
    runs.export,
    runs.demo,
    data.recipes,
    data.models,
    data.datasets,
    data.schemes,
):
    app.command()(command)
for command in (data.show, data.check):
    data_app.command()(command)
for command in (look.samples, look.filters, look.responses, look.faces):
    look_app.command()(command)


def main() -> None:
    """Run the command line: errors that a person can act on come without a traceback, with exit code 1."""
    try:
        app()
    except NasionError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or ''} {error.strerror or error}".strip())


def _complain(text: str) -> None:
    terminal.err.print("nasion: ", style="bold red", end="")
    terminal.err.print(text, highlight=False, soft_wrap=True)
    sys.exit(1)
