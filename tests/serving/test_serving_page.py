"""The API page in a real browser: everything is there, nothing is loaded from anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_the_page_shows_every_path_and_loads_nothing(browser: Browser, url: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(f"{url}/docs", wait_until="networkidle")
    shown = page.inner_text("main")
    headings = page.locator("h2").all_inner_texts()
    page.close()
    assert [a for a in asked if not a.endswith("/favicon.ico")] == [f"{url}/docs"]
    assert [f for f in faults if "favicon" not in f and "404" not in f] == []
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    assert headings == [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert "input_type" in shown
    assert "which template the server puts on" in shown


def test_the_page_may_run_no_scripts(http: httpx.Client) -> None:
    answer = http.get("/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in answer.text
    assert "https://" not in answer.text
