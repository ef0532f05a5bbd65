"""How many processes train together: torchrun tells each of them in its environment."""

from __future__ import annotations

import os

from nasion.errors import SettingError
from nasion.media.number_text import parse_whole


def process_count(variable: str = "WORLD_SIZE") -> int:
    """Of all machines, or with ``LOCAL_WORLD_SIZE`` of this one; 1 without torchrun."""
    text = os.environ.get(variable, "1")
    try:
        return parse_whole(text, low=1)
    except ValueError as error:
        raise SettingError(
            f"{variable} in the environment is {error}; torchrun sets it, else unset it."
        ) from None
