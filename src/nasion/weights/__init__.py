"""The networks that come with the package, by name, each an ONNX file with a model card beside it."""

from __future__ import annotations

from pathlib import Path

from nasion.errors import SettingError

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The networks there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.onnx"))


def file(name: str) -> Path | None:
    """The file of that network, if there is one."""
    return _FOLDER / f"{name}.onnx" if name in names() else None


def card(name: str) -> str:
    """A network's model card, Markdown. Raises ``SettingError`` for a name that is none."""
    if name not in names():
        raise SettingError(f"No network {name!r} comes with this package; there is {', '.join(names())}.")
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")


def headline(name: str) -> str:
    """What a network is, in one line: the first of its card's text."""
    return next(line for line in card(name).splitlines() if line and not line.startswith("#"))
