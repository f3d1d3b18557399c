"""Pages made once, and a browser to open them in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report_fakes import hostile_report, whole_report

from steelyard.report.page import to_page
from steelyard.report.wording import load_wording

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files: ``en``, ``zh`` and ``hostile``."""
    folder = tmp_path_factory.mktemp("pages")
    whole, hostile = whole_report(), hostile_report()
    made = {"en": (whole, "en"), "zh": (whole, "zh"), "hostile": (hostile, "en")}
    for name, (report, language) in made.items():
        (folder / f"{name}.html").write_text(to_page(report, load_wording(language)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")  # playwright's event loop runs in this thread until it is closed; asyncio tests follow
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it tests are skipped, unless STEELYARD_BROWSER says that it must be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing = "no chromium on PATH: apt-get install chromium fonts-noto-cjk"
        pytest.fail(missing) if os.environ.get("STEELYARD_BROWSER") == "required" else pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()
