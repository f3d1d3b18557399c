"""One file a command; nothing heavy is imported before a command runs."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the ``steelyard`` command; returns the exit code (see ``docs/exit-codes.md``)."""
    from steelyard.cli.app import run

    return run(sys.argv[1:] if arguments is None else arguments)
