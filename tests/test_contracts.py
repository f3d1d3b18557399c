"""The import contracts name every package, so that a new one is not free of them unnoticed."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {"torch": {"engines", "tuning"}, "fastapi": {"serving", "pages"}}
"""Library -> the packages that may import it; `__init__` and `__main__` hold no code of their own."""


def packages() -> set[str]:
    inside = (ROOT / "src" / "steelyard").iterdir()
    found = {p.stem for p in inside if p.suffix == ".py" or (p / "__init__.py").is_file()}
    return found - {"__init__", "__main__"}


@pytest.mark.parametrize("library", ALLOWED)
def test_a_library_is_forbidden_in_every_other_package(library: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (contract,) = [c for c in contracts if library in c.get("forbidden_modules", ())]
    named = {name.removeprefix("steelyard.") for name in contract["source_modules"]}
    assert packages() - ALLOWED[library] <= named
    assert not named & ALLOWED[library]
