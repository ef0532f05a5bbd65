"""``python -m nasion.cli``, for torchrun."""

from nasion.cli import main

main()
