"""Pages made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_fakes import hostile_report, whole_report

from steelyard.report.page import to_page
from steelyard.wording.words import load_wording


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files: ``en``, ``zh`` and ``hostile``."""
    folder = tmp_path_factory.mktemp("pages")
    whole, hostile = whole_report(), hostile_report()
    made = {"en": (whole, "en"), "zh": (whole, "zh"), "hostile": (hostile, "en")}
    for name, (report, language) in made.items():
        (folder / f"{name}.html").write_text(to_page(report, load_wording(language)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}
