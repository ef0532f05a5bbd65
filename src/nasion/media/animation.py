"""Animated GIF, WebP and PNG images as videos, by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import DataError
from nasion.media.images import MAX_PIXELS
from nasion.media.video_reading import Colours, Frame, VideoProblem

SUFFIXES = (".gif", ".webp", ".png", ".apng")
_FORMATS = ("GIF", "WEBP", "PNG")  # Pillow opens nothing else here, whatever a file holds
_ORIENTATION = 0x0112  # of EXIF
_HEAD, _WEBP_ANIMATION = 4096, 0x02  # bytes that tell; the flag in WebP's extended header
_SHOWN = 0.1  # seconds for which browsers show a frame that names a hundredth or less
_SHORTEST = 0.011


def is_animation(path: Path) -> bool:
    """True if a file is an image of several frames; False also if it cannot be read."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    from PIL import Image

    try:
        with path.open("rb") as opened:
            if not _may_be_animated(opened.read(_HEAD)):
                return False
        with Image.open(path, formats=_FORMATS) as file:
            return bool(getattr(file, "is_animated", False))
    except Exception:  # of any type, as where images are opened
        return False


def _may_be_animated(head: bytes) -> bool:
    """False for most still images by their first bytes: folders may hold very many of them."""
    if head[:4] == b"\x89PNG":
        return b"acTL" in head or b"IDAT" not in head
    if head[8:16] == b"WEBPVP8X" and len(head) > 20:
        return bool(head[20] & _WEBP_ANIMATION)
    return head[:4] == b"GIF8"


@dataclass
class AnimationReader:
    """Reads an animated image that Pillow has opened. ``until``: seconds at which to stop."""

    file: Any
    name: str
    until: float | None = None
    sounds: tuple[Any, ...] = ()
    colours: Colours = field(default_factory=Colours)
    _damage: str = field(init=False, default="")

    @classmethod
    @contextmanager
    def open(cls, path: Path, until: float | None) -> Iterator[AnimationReader]:
        """Raises ``DataError`` for a file that is unreadable or has too many pixels."""
        from PIL import Image

        try:
            file = Image.open(path, formats=_FORMATS)
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise DataError(f"{path}: not a readable image ({reason}).") from error
        with file:
            if file.width * file.height > MAX_PIXELS:
                raise DataError(
                    f"{path}: {file.width} x {file.height} pixels; the limit is {MAX_PIXELS:,}."
                )
            yield cls(file, str(path), until)

    @property
    def frame_count(self) -> int:
        return self.file.n_frames

    @property
    def rate(self) -> Fraction:
        # Only the written video's nominal rate: its frames have times of their own.
        return Fraction(25)

    def packets(self) -> Iterator[tuple[Any, Frame | None]]:
        """(None, frame) for each frame, upright and on white, as other images."""
        from PIL import ImageOps

        seconds, orientation = 0.0, self._orientation()
        for number in range(self.file.n_frames):
            try:
                self.file.seek(number)
                image = self.file.convert("RGBA")
                # The file has one tag for all of its frames.
                image.getexif()[_ORIENTATION] = orientation
                ImageOps.exif_transpose(image, in_place=True)
            except Exception as error:
                if not number:
                    reason = str(error) or type(error).__name__
                    raise DataError(f"{self.name}: not a readable image ({reason}).") from error
                self._damage = f"damaged: read up to frame {number} of {self.file.n_frames}"
                return
            if self.until is not None and seconds > self.until:
                return
            # Pillow has a frame's duration once it is decoded.
            stated = float(self.file.info.get("duration", 0)) / 1000
            shown = stated if stated >= _SHORTEST else _SHOWN
            left = shown if self.until is None else min(shown, self.until - seconds)
            yield None, Frame(_on_white(image), seconds, number, duration=left)
            seconds += shown

    def _orientation(self) -> int:
        try:
            return self.file.getexif().get(_ORIENTATION, 1)
        except Exception:  # of any type, as where images are opened
            return 1

    def problems(self) -> list[VideoProblem]:
        return [VideoProblem(self.name, self._damage)] if self._damage else []


def _on_white(image: Any) -> np.ndarray:
    from PIL import Image

    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))
