"""What the Python page and the notebooks say, runs; the picture of the packages is that of the code."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_shows_its_result(path: Path) -> None:
    book: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum(1 for cell in code for line in cell.source.splitlines() if line.strip()) < 25
    NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    assert "<table" in code[0].outputs[0].data["text/html"]
    assert code[-1].outputs[0].text.strip()


def test_the_examples_of_the_python_page_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), flags=re.S)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["vectors"].shape == (2, 512)
    assert [s.name for s in names["found"].result.systems] == ["bm25", "Letters", "nothing"]


def test_the_map_names_every_package_and_its_files_are_there() -> None:
    spec = importlib.util.spec_from_file_location("package_map", ROOT / "tools" / "package_map.py")
    assert spec
    assert spec.loader
    package_map = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package_map)
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = package_map.draw()
    for name in (name for row in package_map.layers() for name in row):
        assert f"**{name}**" in page
        assert f">{name} <tspan" in drawn
    for place in re.findall(r"`((?:\w+/)+\w*(?:\.py)?)`", page):
        assert (ROOT / "src" / "steelyard" / place).exists(), place
