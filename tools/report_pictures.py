"""Takes the pictures of the docs: terminal and report of a result, in English and Chinese, light, dark, and on a phone.

``python tools/report_pictures.py RESULT FOLDER``; needs Chromium on PATH and the extras ``report`` and ``dev``.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from steelyard.bench.advice.recommend import advise
from steelyard.bench.advice.scenario import load_scenario
from steelyard.bench.evaluation.result import Result, load
from steelyard.report.advice_view import advice_blocks
from steelyard.report.content import compose
from steelyard.report.page import to_page
from steelyard.report.table import Block
from steelyard.report.terminal import print_blocks
from steelyard.report.verdict_view import verdict_blocks
from steelyard.wording.words import load_wording

Shot = tuple[str, str, Literal["light", "dark"], int, int, str]
"""Name, language, colours, width, height, and the place that is shown."""
SHOTS: tuple[Shot, ...] = (
    ("report-light-zh", "zh", "light", 1200, 860, "top"),
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

TERMINAL = """<!doctype html><style>body {{ margin: 0; }}
pre {{ display: inline-block; margin: 0; padding: 18px 22px; font: 15px/1.45
"DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; color: #e4e4e4; background: #16181d; }}
b {{ color: #8fd0ff; font-weight: 400; }}
i {{ display: inline-block; width: 1.0655em; font-size: 1.13em; line-height: 0; font-style: normal; }}</style>
<pre><b>$ {command}</b>
{code}</pre>"""
"""A terminal; every wide character is set in two columns, whatever its font's own width is."""


def shoot(browser: Browser, page_file: Path, shot: Shot, folder: Path) -> Path | None:
    """One picture of one page; None where it has no such section."""
    name, _, scheme, width, height, place = shot
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", offline=True
    )
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-drawn=yes]")
    if place != "top" and not page.locator(place).count():
        context.close()
        return None  # the result has no figures for this section
    if place == "#lost":
        page.locator("#queries summary").first.click()
    if place != "top":
        page.locator(place).evaluate("(one) => one.scrollIntoView()")
        page.mouse.move(0, 0)
    page.screenshot(path=folder / f"{name}.png")
    context.close()
    return folder / f"{name}.png"


def terminal(browser: Browser, command: str, blocks: Iterable[Block], path: Path) -> Path:
    """A picture of what a command prints."""
    out = Console(file=io.StringIO(), record=True, width=118, force_terminal=True, highlight=False)
    print_blocks(out, blocks, soft_wrap=False)
    code = out.export_html(code_format="{code}", inline_styles=True)
    wide = "".join(f"<i>{c}</i>" if ord(c) >= 0x2E80 or c in "“”" else c for c in code)
    page = browser.new_page(viewport={"width": 1300, "height": 400}, device_scale_factor=1.5)
    page.set_content(TERMINAL.format(command=command, code=wide))
    page.locator("pre").screenshot(path=path)
    page.close()
    return path


def without_costs(result: Result) -> Result:
    """The quality alone, which fits on a picture."""
    return result.model_copy(update={"systems": tuple(s.model_copy(update={"costs": None}) for s in result.systems)})


def terminals(browser: Browser, source: str, result: Result, folder: Path) -> Iterable[Path]:
    """What `compare` and `advise` print, in both languages."""
    name = f"results/{Path(source).name}"
    for language in ("en", "zh"):
        w, lang = load_wording(language), " --lang zh" if language == "zh" else ""
        compared = verdict_blocks(compose(without_costs(result)), w)
        command = f"steelyard compare {name}{lang}"
        yield terminal(browser, command, compared, folder / f"terminal-compare-{language}.png")
        advice = advice_blocks(advise(result, load_scenario("high-concurrency")), w)
        command = f"steelyard advise {name} --scenario high-concurrency{lang}"
        yield terminal(browser, command, advice, folder / f"terminal-advise-{language}.png")


def main(source: str, target: str) -> None:
    """Takes all pictures of one result."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium on PATH: apt-get install chromium fonts-noto-cjk")
    result = load(source)
    report = compose(result, origins=[source])
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        pages = {language: Path(scratch) / f"{language}.html" for language in ("en", "zh")}
        for language, file in pages.items():
            file.write_text(to_page(report, load_wording(language)), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        taken = (shoot(browser, pages[shot[1]], shot, folder) for shot in SHOTS)
        for path in (*terminals(browser, source, result, folder), *taken):
            if path:
                sys.stdout.write(f"{path} ({path.stat().st_size / 1000:,.0f} kB)\n")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
