"""Ranking measures and trap measures."""
