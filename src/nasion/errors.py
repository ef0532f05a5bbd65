"""The errors that a person can act on: each names the place, the value found, the rule and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager


class NasionError(Exception):
    """Anything nasion refuses on purpose; the command line prints it without a traceback."""


class DataError(NasionError, ValueError):
    """A file, row or label that breaks its format's rules."""


class AbsentError(DataError):
    """A split of a data set whose files are not there."""


class SettingError(NasionError, ValueError):
    """A recipe, option or argument that cannot be meant."""


class MissingExtra(NasionError, ImportError):
    """Something that an extra of this package would install is not there."""

    def __init__(self, what: str, error: ImportError, extra: str) -> None:
        super().__init__(f"{what} needs what is not installed ({error}); install it with: pip install 'nasion[{extra}]'")


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Where something is imported that an extra installs: ``MissingExtra`` if it is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "nasion":
            raise
        raise MissingExtra(what, error, extra) from error


def require(rule: bool, what: str) -> None:
    """Raise ``SettingError`` saying what is required, unless the rule holds."""
    if not rule:
        raise SettingError(what)


class RunError(NasionError, RuntimeError):
    """A run folder that cannot be used, or training that cannot go on."""
