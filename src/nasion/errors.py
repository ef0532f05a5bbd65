"""Errors that a user can act on: messages name the place, the value, the rule and the remedy."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger("nasion")


class NasionError(Exception):
    """Base of all errors that nasion raises on purpose; the CLI prints it without a traceback."""


class DataError(NasionError, ValueError):
    """A file, row or label breaks the rules of its format."""


class SplitNotFound(DataError):
    """The files of a dataset's published split are not there."""


class SettingError(NasionError, ValueError):
    """A recipe setting, option or argument is invalid."""


class MissingExtra(NasionError, ImportError):
    """A package is missing that one of nasion's extras installs."""

    def __init__(self, feature: str, error: ImportError, extra: str) -> None:
        super().__init__(
            f"{feature} needs a package that is not installed ({error}); "
            f"install it with: pip install 'nasion[{extra}]'"
        )


class RunError(NasionError, RuntimeError):
    """A run folder or model file cannot be used, or training cannot continue."""


@contextmanager
def requires_extra(feature: str, extra: str) -> Iterator[None]:
    """Wrap an import that an extra provides: raise ``MissingExtra`` if the package is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        # A missing module of our own is a bug, not a missing extra.
        if (error.name or "").partition(".")[0] == "nasion":
            raise
        raise MissingExtra(feature, error, extra) from error


def require(condition: bool, message: str) -> None:
    """Raise ``SettingError`` with this message unless the condition holds."""
    if not condition:
        raise SettingError(message)


@contextmanager
def refusing_damage(
    place: object,
    kind: type[NasionError] = DataError,
    remedy: str = "save it again, or get it again from where it came.",
) -> Iterator[None]:
    """Wrap a parser at the boundary of a reader: whatever it raises becomes ``kind``.

    ``place``: the file. Parsers of other packages raise dozens of kinds for damaged files, also
    ones that are no errors of reading (``KeyError``, ``struct.error``, ``RecursionError``). Errors
    of nasion's own pass as they are.
    """
    try:
        yield
    except NasionError:
        raise
    except Exception as error:
        # The traceback for those who look for it; the message is for the user.
        _log.debug("%s cannot be read", place, exc_info=True)
        if isinstance(error, OSError) and error.strerror:  # rights and disks; damaged gzip has none
            raise kind(f"{place}: cannot be read ({reason_of(error)}).") from error
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
        problem = f"damaged or truncated, or not of this format ({reason})"
        raise kind(f"{place}: {problem}; {remedy}") from error


def reason_of(error: Exception) -> str:
    """What went wrong, without the place: the text of an ``OSError`` would say it a second time."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
