"""Arrays as numbers of JSON."""

from __future__ import annotations

import math
from typing import Any


def rounded(values: Any, digits: int = 3) -> Any:
    """An array as JSON numbers, NaN as null."""
    # Lists, for single numbers of an array are slow to read.
    return _rounded(values.tolist() if hasattr(values, "tolist") else values, digits)


def _rounded(values: Any, digits: int) -> Any:
    if isinstance(values, list):
        return [_rounded(value, digits) for value in values]
    return None if math.isnan(values) else round(float(values), digits)
