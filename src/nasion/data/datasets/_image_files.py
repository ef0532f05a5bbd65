"""Image files below a folder, and which of them a label file means by another path or spelling.

Tools write the path on the machine that they ran on, or the address of their server. Exports lose
accents, systems differ in upper and lower case and in how they write an umlaut, and images are
saved again with another suffix.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path, PurePath
from unicodedata import combining, normalize

from nasion.data.datasets._image_names import image_name, is_inside, shared_end, with_slashes
from nasion.media.counted import counted
from nasion.media.quoted import quoted
from nasion.media.signatures import IMAGE_SUFFIXES

_MOST_FILES = 200_000  # of a folder that are looked at
_SHOWN = 60  # characters of a name in a message
_ANCHOR = re.compile(r"[A-Za-z]:|[\\/]|\.\.?")  # parts of a path that name no folder
_log = logging.getLogger(__name__)


class ImageFinder:
    """Where the images of a folder lie, for label files that name them by other paths."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[PurePath] | None = None
        self._spelled: dict[str, dict[str, list[PurePath]]] = {}
        self._elsewhere: dict[str, str] = {}

    def find(self, *names: str) -> str:
        """The image, relative to the folder, that one of these paths most likely means.

        The last part's name alone if there is no such file. Raises ``ValueError`` if several files
        fit equally.
        """
        for name in names:
            plain = with_slashes(name)
            if is_inside(plain) and (self._folder / plain).is_file():
                return plain
        for name in names:
            parts = _parts(name)
            fitting = self._called(_EXACT, parts[-1]) if parts else []
            if fitting:
                return self._nearest(fitting, parts, _as_it_is).as_posix()
        return PurePath(with_slashes(names[0])).name or names[0]

    def named(self, name: str) -> str:
        """The image's name relative to the folder; of a path outside it, the file with that end.

        Raises ``ValueError`` for a name that no file can have, for a path outside the folder whose
        end no file in it has, and for one that fits several files equally.
        """
        try:
            return image_name(name, self._folder)
        except ValueError:
            plain = with_slashes(name)
            found = None if is_inside(plain) else self.like(plain, least=1)
            if found is None:
                raise
        self._elsewhere.setdefault(name, found[0])
        return found[0]

    def tell(self, source: str) -> None:
        """Log how many paths outside the folder were found in it, with an example."""
        if not self._elsewhere:
            return
        name, found = next(iter(self._elsewhere.items()))
        _log.info(
            "%s: %s named by paths outside its folder, and found in it by the end of these, "
            "as %s at %s.",
            source,
            counted(len(self._elsewhere), "image is", "images are"),
            quoted(name, _SHOWN),
            quoted(found, _SHOWN),
        )

    def like(
        self, name: str, *, least: int = 2, taken: Collection[str] = ()
    ) -> tuple[str, str] | None:
        """The file that a name means, relative to the folder, and in what the names differ.

        ``least``: how many parts at its end the path must share, if the name has as many. A file
        in the folder itself has one, which is enough if the name's first folder is not there.
        ``taken``: files that other labels name, which are not meant. None if there is no such file;
        raises ``ValueError`` if several files fit equally.
        """
        parts = _parts(name)
        if not parts:
            return None
        is_gone = not (self._folder / parts[0]).is_dir()
        for differs, spelling in _SPELLINGS.items():
            wanted = tuple(map(spelling, parts))
            fitting = [
                path
                for path in self._called(differs, wanted[-1])
                if path.as_posix() not in taken
                and _shared(path, wanted, spelling)
                >= min(least, len(parts), len(path.parts) if is_gone else least)
            ]
            if fitting:
                return self._nearest(fitting, parts, spelling).as_posix(), differs
        return None

    def _nearest(
        self, fitting: list[PurePath], parts: tuple[str, ...], spelling: Callable[[str], str]
    ) -> PurePath:
        wanted = tuple(map(spelling, parts))
        shared = [_shared(path, wanted, spelling) for path in fitting]
        best = [path for path, n in zip(fitting, shared, strict=True) if n == max(shared)]
        if len(best) > 1:
            end = "/".join(parts)[-_SHOWN:]
            raise ValueError(
                f"the image {quoted(end, _SHOWN)} could be {best[0]} or {best[1]}; write the "
                "images' paths from the label file's folder, or keep only one of them there"
            )
        return best[0]

    def _called(self, differs: str, name: str) -> list[PurePath]:
        """The files with a name that is the same when it is spelled so."""
        if differs not in self._spelled:
            index: dict[str, list[PurePath]] = {}
            for path in self._files():
                index.setdefault(_SPELLINGS[differs](path.name), []).append(path)
            self._spelled[differs] = index
        return self._spelled[differs].get(name, [])

    def _files(self) -> list[PurePath]:
        if self._all is None:
            below = (p for p in self._folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
            files = islice(below, _MOST_FILES)
            self._all = sorted(path.relative_to(self._folder) for path in files)
        return self._all


def _parts(name: str) -> tuple[str, ...]:
    parts = PurePath(with_slashes(name)).parts
    return tuple(part for part in parts if not _ANCHOR.fullmatch(part))


def _shared(path: PurePath, wanted: tuple[str, ...], spelling: Callable[[str], str]) -> int:
    return shared_end(tuple(map(spelling, path.parts)), wanted)


def _as_it_is(name: str) -> str:
    return name


def _composed(name: str) -> str:
    return normalize("NFC", name)


def _any_case(name: str) -> str:
    return _composed(name).casefold()


def _any_suffix(name: str) -> str:
    stem = name.rpartition(".")[0] if name.lower().endswith(IMAGE_SUFFIXES) else name
    return _any_case(stem)


def _plain(name: str) -> str:
    """Without accents."""
    return "".join(c for c in normalize("NFD", _any_suffix(name)) if not combining(c))


def _decoded(name: str) -> str:
    """UTF-8 that was read in the Western code page: ``MÃ¼ller``."""
    try:
        return _any_suffix(name.encode("cp1252").decode("utf-8"))
    except UnicodeError:
        return _any_suffix(name)


def _lost(name: str) -> str:
    """With a sign in place of each letter that is not in ASCII, as exports write ? or _."""
    return re.sub(r"[^\x00-\x7f]|\?", "_", _any_suffix(name))


_EXACT = "the folder that it is in"
# From the smallest difference to the largest; each allows those before it.
_SPELLINGS: dict[str, Callable[[str], str]] = {
    _EXACT: _as_it_is,
    "how accents are encoded": _composed,
    "upper and lower case": _any_case,
    "the suffix": _any_suffix,
    "accents": _plain,
    "the text encoding": _decoded,
    "letters that the labels have lost": _lost,
}
