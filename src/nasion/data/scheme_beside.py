"""``scheme.toml`` beside the data: what their points mean, how they mirror, what draws a face."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from nasion.data.own_schemes import is_numbered
from nasion.errors import SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import FILE, read_scheme
from nasion.media.counted import part_of
from nasion.media.quoted import listed

_log = logging.getLogger(__name__)
_SHOWN = 3  # points that a message names


def scheme_path(data: Path) -> Path:
    """Where the scheme of these data is: in their folder, or beside their file."""
    return (data if data.is_dir() else data.parent) / FILE


def scheme_beside(data: Path) -> Scheme | None:
    """The scheme of the file beside these data; None without one. Raises ``SettingError``."""
    path = scheme_path(data)
    return read_scheme(path) if path.is_file() else None


def in_own_scheme(faces: Faces, own: Scheme, data: Path) -> Faces:
    """The faces in the scheme that is beside their data.

    Points match by name or alias; numbered ones by their order. Points that ``own`` lacks are left
    out. Raises ``SettingError`` for a point that the data lack.
    """
    if faces.scheme == own:
        return faces
    path, theirs = scheme_path(data), faces.scheme
    if is_numbered(theirs.points) and len(theirs) == len(own) and not own.matches(theirs):
        return replace(faces, scheme=own)
    # The file is of these data, so own names count whatever the data call their scheme.
    faces = replace(faces, scheme=replace(theirs, name=own.name))
    found = own.matches(faces.scheme)
    lacking = [point for point in own.points if point not in found]
    if lacking:
        shown = listed(lacking[:_SHOWN])
        raise SettingError(
            f"{path} points: {shown} {'is' if len(lacking) == 1 else 'are'} not in {data}, whose "
            f"points are {listed(theirs.points[:_SHOWN])}, ...; correct the "
            "names there, or name another scheme (--scheme)."
        )
    if len(own) < len(theirs):
        _log.info(
            "%s: %s taken, as it says.", path, part_of(len(own), len(theirs), "point", "is", "are")
        )
    return faces.to(own)
