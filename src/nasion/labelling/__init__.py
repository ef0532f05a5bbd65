"""Labelling faces by hand: in which order, and what a correction says about the other points."""
