"""The models that come with the package, by name: an ONNX file and a model card each."""

from __future__ import annotations

from pathlib import Path

from nasion.errors import SettingError

_FOLDER = Path(__file__).parent
DEFAULT = "face68"


def names() -> list[str]:
    """All names, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.onnx"))


def file(name: str) -> Path | None:
    """The file of that model, if there is one."""
    return _FOLDER / f"{name}.onnx" if name in names() else None


def card(name: str) -> str:
    """The model card, in Markdown. Raises ``SettingError`` for an unknown name."""
    if name not in names():
        raise SettingError(
            f"No model {name!r} comes with this package; there are {', '.join(names())}."
        )
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")


def headline(name: str) -> str:
    """The first line of a model card's text."""
    return next(line for line in card(name).splitlines() if line and not line.startswith("#"))
