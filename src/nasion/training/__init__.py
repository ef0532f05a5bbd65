"""Training: one loop per framework around shared state, validation and checkpoints."""
