"""``python -m nasion``, for torchrun."""

import os
import sys

# `python -m` lets the working folder come first, and a recipe file there that is called copy.py or
# torch.py would be imported in the place of that module. Last, it hides none.
# Not pathlib, which a file in the working folder may be called.
if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109
    sys.path.append(sys.path.pop(0))

from nasion.app.cli import main

main()
