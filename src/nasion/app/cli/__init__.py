"""The command line. What a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import sys

import typer

from nasion.app import console
from nasion.app.cli import (
    anonymise,
    crop,
    data,
    evaluate,
    export,
    inspect,
    label,
    lists,
    people,
    predict,
    scheme,
    serve,
    train,
)
from nasion.app.cli.number_options import PlainNumbersCommand
from nasion.errors import NasionError


def _group(help: str) -> typer.Typer:
    return typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=help
    )


app: typer.Typer = _group("Train, evaluate and run facial landmark models.")
data_app: typer.Typer = _group("Look at a dataset and find its faults.")
scheme_app: typer.Typer = _group("Write, show and check landmark schemes of your own.")
inspect_app: typer.Typer = _group(
    "Draw training samples, filters, responses, best and worst faces."
)
app.add_typer(data_app, name="data")
app.add_typer(scheme_app, name="scheme")
app.add_typer(inspect_app, name="inspect")

for command in (
    predict.predict,
    crop.crop,
    anonymise.anonymise,
    serve.serve,
    label.label,
    train.train,
    evaluate.evaluate,
    evaluate.report,
    evaluate.submit,
    export.export,
    train.demo,
    lists.models,
    lists.recipes,
    lists.datasets,
    lists.schemes,
):
    app.command(cls=PlainNumbersCommand)(command)
for command in (
    data.show,
    data.check,
    data.audit,
    data.convert,
    data.frames,
    people.compare,
    people.merge,
):
    data_app.command(cls=PlainNumbersCommand)(command)
for command in (scheme.init, scheme.show, scheme.check):
    scheme_app.command(cls=PlainNumbersCommand)(command)
for command in (inspect.samples, inspect.filters, inspect.responses, inspect.faces):
    inspect_app.command(cls=PlainNumbersCommand)(command)


def main() -> None:
    """Run the command line; errors that a user can act on exit with 1, without a traceback."""
    console.show_notes()
    try:
        app()
    except NasionError as error:
        _fail(str(error))
    # Full disks, missing rights: the user's to mend, so no traceback.
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")


def _fail(message: str) -> None:
    console.fail(message)
    sys.exit(1)
