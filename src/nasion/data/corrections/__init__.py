"""Change lists of labels: who changed what, beside the data, applied by every reader of labels."""
