"""Measurements of trained weights: python -m training.evaluate --help."""
