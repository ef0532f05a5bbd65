"""Types of arrays with their shapes, for annotations: those of jaxtyping.

Importing jaxtyping takes as long as importing NumPy, and nothing but a type checker reads the
annotations. So without a checker these are stand-ins, unless jaxtyping was imported before nasion,
as the tests do, which check shapes at run time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Complex, Float, Float32, Float64, Int, Int64, Shaped, UInt8
else:

    class _Unchecked:
        def __class_getitem__(cls, _: Any) -> Any:
            return Any

    Bool = Complex = Float = Float32 = Float64 = Int = Int64 = Shaped = UInt8 = _Unchecked

__all__ = ["Bool", "Complex", "Float", "Float32", "Float64", "Int", "Int64", "Shaped", "UInt8"]
