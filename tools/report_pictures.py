"""Takes the pictures of the docs: the report of a result in light, dark, Chinese, and on a phone.

``python tools/report_pictures.py RESULT FOLDER``; needs Chromium on PATH and the extras ``report`` and ``dev``.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from steelyard.bench.evaluation.result import load
from steelyard.report.content import compose
from steelyard.report.page import to_page
from steelyard.wording.words import load_wording

Shot = tuple[str, str, Literal["light", "dark"], int, int, str]
"""Name, language, colours, width, height, and the place that is shown."""
SHOTS: tuple[Shot, ...] = (
    ("report-light", "en", "light", 1200, 860, "top"),
    ("report-dark-zh", "zh", "dark", 1200, 860, "top"),
    ("report-traps", "en", "light", 1200, 900, "#categories"),
    ("report-lost-zh", "zh", "light", 1200, 900, "#lost"),
    ("report-sweep-dark", "en", "dark", 1200, 900, "#sweeps"),
    ("report-pareto", "en", "light", 1200, 900, "#pareto"),
    ("report-costs-zh", "zh", "light", 1200, 1000, "#costs"),
    ("report-phone", "en", "light", 390, 844, "top"),
    ("report-phone-zh", "zh", "dark", 390, 844, "#lost"),
)


def shoot(browser: Browser, page_file: Path, shot: Shot, folder: Path) -> Path:
    """One picture of one page."""
    name, _, scheme, width, height, place = shot
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", offline=True
    )
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-drawn=yes]")
    if place == "#lost":
        page.locator("#queries summary").first.click()
    if place != "top":
        page.locator(place).evaluate("(one) => one.scrollIntoView()")
        page.mouse.move(0, 0)
    page.screenshot(path=folder / f"{name}.png")
    context.close()
    return folder / f"{name}.png"


def main(source: str, target: str) -> None:
    """Takes all pictures of one result."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium on PATH: apt-get install chromium fonts-noto-cjk")
    report = compose(load(source), origins=[source])
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        pages = {language: Path(scratch) / f"{language}.html" for language in ("en", "zh")}
        for language, file in pages.items():
            file.write_text(to_page(report, load_wording(language)), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            path = shoot(browser, pages[shot[1]], shot, folder)
            sys.stdout.write(f"{path} ({path.stat().st_size / 1000:,.0f} kB)\n")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
