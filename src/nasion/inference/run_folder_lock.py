"""One training at a time in a run folder.

Two trainings would write over each other's weights and history, and both would end well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasion.errors import RunError
from nasion.media.file_lock import Refusals, locked_file

FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, making the folder if need be.

    Raises ``RunError`` with the process that holds it. A file system without locks is noted and
    used as it is.
    """
    named = str(folder).replace("{", "{{").replace("}", "}}")
    refusals = Refusals(
        kind=RunError,
        in_use=f"{named} is being trained by {{who}}; wait until it has ended, {{stop}}, "
        "or name another folder with --run.",
        is_file="{file} is a file; a run needs a folder: name another one with --run.",
        unusable=f"{folder} cannot be made or written to; name another folder with --run.",
        no_locks=f"{named}/{FILE} cannot be locked ({{reason}}); start no second training there.",
    )
    with locked_file(folder / FILE, refusals):
        yield
