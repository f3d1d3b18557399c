import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "exact_memory.py"


@pytest.mark.slow
def test_a_large_search_stays_within_the_vectors_and_a_gigabyte() -> None:
    """A quarter of the size that the promise names, held to a quarter of the memory."""
    command = [sys.executable, str(SCRIPT), "250000", "1000", "1024", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    beside = re.search(r"beside them ([\d.]+) GB", done.stdout)
    assert beside is not None
    assert float(beside[1]) < 0.35, done.stdout
