"""Datasets read, split, cached, checked, augmented; labels with their faults and gaps."""
