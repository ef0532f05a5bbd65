"""How good predictions are: scores, reliability, reports, plots, comparisons, submissions."""
