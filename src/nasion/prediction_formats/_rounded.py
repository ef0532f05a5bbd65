"""Arrays as numbers of JSON."""

from __future__ import annotations

import math
from typing import Any


def rounded(values: Any, digits: int = 3) -> Any:
    """An array as JSON numbers, NaN as null."""
    if getattr(values, "ndim", 0):
        return [rounded(value, digits) for value in values]
    return None if math.isnan(values) else round(float(values), digits)
