"""``python -m nasion``, for torchrun."""

from nasion.app.cli import main

main()
