"""Checkpoints of the exact architectures come from the engines' tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "engines"))
