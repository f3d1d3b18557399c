"""Runs systems over suites and keeps what came out."""
