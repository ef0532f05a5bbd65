"""HTML pages that hold everything they show: no address in them leads outside."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

import nasion
from nasion import draw
from nasion.errors import MissingExtra


@dataclass(frozen=True)
class Image:
    """A picture in a page: its heading, a line on what it shows, and the picture as an address that holds it."""

    heading: str
    note: str
    address: str

    @property
    def alt(self) -> str:
        return f"{self.heading}. {self.note}".strip()


def picture(heading: str, pixels: UInt8[np.ndarray, "H W 3"], note: str = "") -> Image:
    return Image(heading, note, "data:image/png;base64," + base64.b64encode(draw.png(pixels)).decode())


def plot(heading: str, figure: Any, note: str = "") -> Image:
    """A matplotlib figure as a picture of a page."""
    return Image(heading, note, "data:image/svg+xml;base64," + base64.b64encode(draw.svg(figure).encode()).decode())


def rendered(template: str, **values: Any) -> str:
    """A template of ``pages/`` filled. Raises ``MissingExtra`` without the ``report`` extra."""
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError as error:
        raise MissingExtra("A page", error, "report") from error

    environment = Environment(loader=PackageLoader("nasion", "pages"), autoescape=True, trim_blocks=True)
    return environment.get_template(f"{template}.html.j2").render(version=nasion.__version__, **values)
