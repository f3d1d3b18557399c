"""Intervals, paired tests, correction, power."""
