"""HTML pages that hold everything they show: nothing in them links outside."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

import nasion
from nasion.array_types import UInt8
from nasion.errors import MissingExtra
from nasion.evaluation import face_tiles, plots


@dataclass(frozen=True)
class Figure:
    """An image in a page: heading, a note on what it shows, and its ``data:`` URL."""

    heading: str
    note: str
    address: str

    @property
    def alt(self) -> str:
        return f"{self.heading}. {self.note}".strip()


def image_figure(heading: str, pixels: UInt8[np.ndarray, "H W 3"], note: str = "") -> Figure:
    """Pixels as a figure of a page."""
    data = base64.b64encode(face_tiles.png(pixels)).decode()
    return Figure(heading, note, f"data:image/png;base64,{data}")


def plot_figure(heading: str, plot: Any, note: str = "") -> Figure:
    """A matplotlib plot as a figure of a page."""
    data = base64.b64encode(plots.svg(plot).encode()).decode()
    return Figure(heading, note, f"data:image/svg+xml;base64,{data}")


def render(template: str, **values: Any) -> str:
    """Fill a template of ``templates/``. Raises ``MissingExtra`` without the ``report`` extra."""
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError as error:
        raise MissingExtra("A page", error, "report") from error

    loader = PackageLoader("nasion.evaluation", "templates")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True)
    page = environment.get_template(f"{template}.html.j2")
    return page.render(version=nasion.__version__, **values)
