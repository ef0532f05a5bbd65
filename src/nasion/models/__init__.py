"""One architecture family per file. A part with ``build(outputs)`` makes the network; its last layer is ``head``."""
