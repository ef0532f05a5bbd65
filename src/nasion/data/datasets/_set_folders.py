"""Which published set a folder is, by the names of its files and folders."""

from __future__ import annotations

import re
from pathlib import Path

from nasion.data.datasets._label_files import any_case, is_resource_fork

FGNET_NAME = re.compile(r"(\d{3})a(\d{2})[a-z]?", re.ASCII | re.I)  # person, age
MERL_RAV_VIEWS = ("frontal", "left", "lefthalf", "right", "righthalf")
MERL_RAV_SIDES = {"trainset": "training", "testset": "test"}


def is_fgnet(root: Path) -> bool:
    """True if the files are named by person and age; the first one found tells."""
    first = first_file(root, ".pts")
    return first is not None and FGNET_NAME.fullmatch(first.stem) is not None


def first_file(root: Path, suffix: str) -> Path | None:
    """A file with this suffix in the folder or in one directly below it; no deeper, to be quick."""
    if not root.is_dir():
        return None
    found = (path for pattern in ("*", "*/*") for path in root.glob(pattern + any_case(suffix)))
    return next((path for path in found if not is_resource_fork(path)), None)


def is_merl_rav(root: Path) -> bool:
    """True if there are folders by view, each with trainset or testset."""
    folders = [root / view / side for view in MERL_RAV_VIEWS for side in MERL_RAV_SIDES]
    return any(next(folder.glob("*" + any_case(".pts")), None) is not None for folder in folders)
