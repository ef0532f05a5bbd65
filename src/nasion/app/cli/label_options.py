"""The options of every command that reads labels: what they mean where files leave it open."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from nasion.discovery import DATASETS
from nasion.errors import require

if TYPE_CHECKING:
    from nasion.data.exif_labels import ExifReading
    from nasion.data.label_reading import LabelReading

_DatasetKind = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help=f"Kind of dataset, if the path does not tell: {', '.join(DATASETS.names())}.",
        show_default="recognised by the path",
    ),
]
_SchemeName = Annotated[
    str | None,
    typer.Option(
        "--scheme",
        help="Landmark scheme: of the catalog, as ibug68 (see: nasion schemes), or a .toml file "
        "(see: nasion scheme). Says what points mean that a file only numbers.",
        show_default="scheme.toml beside the data, or what the data say",
    ),
]
_SkipFaults = Annotated[
    bool,
    typer.Option(
        "--skip-faults", help="Leave out faulty rows and faces whose image cannot be read."
    ),
]
_Missing = Annotated[
    str | None,
    typer.Option(
        "--missing",
        help="Numbers that stand for missing points, as -1 or 0; occluded, if negative coordinates "
        "are occluded points at their absolute value; several with commas; none: all are places.",
        show_default="what only one reading explains",
    ),
]
_Exif = Annotated[
    str | None,
    typer.Option(
        "--exif",
        help="Labels of images that an EXIF tag turns: apply, if made on the turned image; ignore, "
        "if made on the image as it is stored.",
        show_default="as the faces stand upright",
    ),
]
_Corrections = Annotated[
    list[Path] | None,
    typer.Option(
        "--corrections",
        help="Apply this change list of corrected labels (DATA.changes/NAME.jsonl); files of "
        "labels stay as they are. Repeat for several that do not disagree.",
    ),
]
_OPTIONS = {
    "dataset": (_DatasetKind, None),
    "scheme": (_SchemeName, None),
    "skip_faults": (_SkipFaults, False),
    "missing": (_Missing, None),
    "exif": (_Exif, None),
    "corrections": (_Corrections, None),
}
LABEL_OPTIONS: tuple[str, ...] = tuple(_OPTIONS)


def reads_labels(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it takes them as one argument, ``reading: LabelReading``."""

    @wraps(command)
    def with_options(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in _OPTIONS}
        command(**values, reading=_label_reading(**chosen))

    # The type is imported when a command runs, so that help comes at once.
    hints = get_type_hints(command, localns={"LabelReading": object}, include_extras=True)
    kinds = {name: kind for name, kind in hints.items() if name not in ("reading", "return")}
    kinds |= {name: kind for name, (kind, _) in _OPTIONS.items()}
    own = inspect.signature(command).parameters
    defaults = {name: own[name].default if name in own else _OPTIONS[name][1] for name in kinds}
    with_options.__annotations__ = kinds
    with_options.__signature__ = inspect.Signature(  # pyright: ignore[reportAttributeAccessIssue]
        [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=kind
            )
            for name, kind in kinds.items()
        ]
    )
    return with_options


def as_words(reading: LabelReading) -> str:
    """The options that give this reading again, each after a space."""
    shown = {
        "dataset": reading.dataset,
        "scheme": reading.scheme_name or (reading.scheme and reading.scheme.name),
        "missing": reading.missing,
        "exif": reading.exif,
    }
    words = [f" --{name} {value}" for name, value in shown.items() if value is not None]
    words += [f" --corrections {quote(str(path))}" for path in reading.change_lists]
    return "".join([" --skip-faults" if reading.skip_faults else "", *words])


def _label_reading(
    dataset: str | None,
    scheme: str | None,
    skip_faults: bool,
    missing: str | None,
    exif: str | None,
    corrections: list[Path] | None,
) -> LabelReading:
    """Raises ``SettingError`` for settings that are none."""
    from nasion.data.label_reading import EXIF_READINGS, LabelReading
    from nasion.landmarks.scheme_file import scheme_at

    found: list[ExifReading] = [mode for mode in EXIF_READINGS if mode == exif]
    modes = ", ".join(EXIF_READINGS)
    require(exif is None or bool(found), f"--exif {exif}: one of {modes} expected.")
    return LabelReading(
        dataset=dataset,
        scheme=None if scheme is None else scheme_at(scheme),
        scheme_name=scheme,
        skip_faults=skip_faults,
        missing=missing,
        exif=found[0] if found else None,
        corrections=corrections or (),
    )
