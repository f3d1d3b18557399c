"""The page in a real browser: nothing fetched, nothing wrong, usable by keyboard, readable in every setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from report_fakes import CATEGORIES, whole_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page, blocks whatever it asks for, and in the end demands that it asked for nothing."""
    asked: list[str] = []
    wrong: list[str] = []
    contexts = []

    def opened(name: str = "en", width: int = 1280, scheme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        own = pages[name].as_uri()
        page.route("**/*", lambda route: route.continue_() if route.request.url.split("#")[0] == own else route.abort())
        page.on("request", lambda request: asked.append(request.url) if request.url.split("#")[0] != own else None)
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.goto(own)
        page.wait_for_selector("html[data-drawn=yes]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert asked == []
    assert wrong == []


def shown(page: Page) -> int:
    return page.locator("#queries > li").count()


def test_every_chart_is_drawn_and_nothing_is_asked_for(open_page: Open) -> None:
    page = open_page()
    assert page.locator(".plot").count() == page.locator(".plot svg.marks").count() == 6
    assert page.locator("h1").inner_text() != ""
    assert page.locator(".plot[role=img][aria-label]").count() == 6


def test_the_lost_queries_can_be_filtered(open_page: Open) -> None:
    report = whole_report()
    page = open_page()
    total = len(report.lost.shown)
    assert shown(page) == min(30, total)
    assert f"{total} of {total}" in page.locator("#count").inner_text()
    page.select_option("#filter-category", CATEGORIES[1])
    expected = [q for q in report.lost.shown if q.query.category == CATEGORIES[1]]
    assert shown(page) == len(expected)
    best, last = report.systems[0], report.systems[-1]
    page.select_option("#filter-category", "")
    page.select_option("#filter-lost", str(report.systems.index(last)))
    page.select_option("#filter-won", str(report.systems.index(best)))
    names = [{x.system for x in q.losses} for q in report.lost.shown]
    expected_count = sum(last in n and best not in n for n in names)
    assert 0 < expected_count == int(page.locator("#count").inner_text().split()[0])
    page.click(".clear")
    page.wait_for_function("document.querySelector('#queries').children.length > 1")
    page.fill("#filter-search", report.lost.shown[0].query.text)
    assert shown(page) >= 1
    assert report.lost.shown[0].query.text in page.locator("#queries > li").first.inner_text()
    page.fill("#filter-search", "no such words anywhere")
    assert shown(page) == 0
    assert "Remove a filter" in page.locator("#count").inner_text()


def test_a_kind_filter_holds_for_the_chosen_system(open_page: Open) -> None:
    report = whole_report()
    page = open_page()
    system = report.systems[-1]
    page.select_option("#filter-lost", str(len(report.systems) - 1))
    page.select_option("#filter-kind", "lookalike")
    expected = sum(x.system == system and x.winner == "lookalike" for q in report.lost.shown for x in q.losses)
    assert int(page.locator("#count").inner_text().split()[0]) == expected > 0


def test_a_lost_query_opens_by_keyboard_and_shows_the_ranking_beside_the_answer(open_page: Open) -> None:
    report = whole_report()
    lost = report.lost.shown[0]
    page = open_page()
    page.focus("#filter-search")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    entry = page.locator("#queries > li").first
    entry.locator(".detail").wait_for()
    assert report.result.documents[lost.query.relevant[0]] in entry.locator(".right").inner_text()
    assert entry.locator(".loser").count() == len(lost.losses)
    first = entry.locator(".loser").first.locator(".hits .text").all_inner_texts()
    assert first == [report.result.documents[d] for d in lost.losses[0].hits]
    page.keyboard.press("Enter")
    assert not entry.locator(".detail").is_visible()


def test_a_cell_of_the_heat_map_leads_to_its_lost_queries(open_page: Open) -> None:
    page = open_page()
    cell = page.locator("[data-chart=categories] svg .mark-rect.role-mark path").last
    cell.scroll_into_view_if_needed()
    cell.click(force=True)
    page.wait_for_function("document.getElementById('filter-category').value !== ''")
    assert page.input_value("#filter-lost") != ""
    page.wait_for_function("document.activeElement.id === 'filter-search'")


def test_more_lost_queries_come_by_a_button_and_keep_the_focus(open_page: Open) -> None:
    page = open_page("en")
    total = len(whole_report().lost.shown)
    assert total > 30
    page.focus("#more")
    page.keyboard.press("Enter")
    assert shown(page) == total
    assert page.evaluate("document.activeElement.closest('li') === document.getElementById('queries').children[30]")
    assert page.locator("#more").is_hidden()


def test_focus_is_visible_and_the_first_stop_skips_to_the_verdict(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"


def test_texts_that_mean_harm_do_nothing(open_page: Open) -> None:
    page = open_page("hostile")
    page.fill("#filter-search", "<script>")
    assert shown(page) > 0
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.locator("#queries .detail").first.wait_for()
    page.locator("[data-chart=categories] svg .mark-rect.role-mark path").first.hover(force=True)
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe, #queries script").count() == 0
    assert page.locator("body a[href^=http], body a[href^=javascript]").count() == 0


@pytest.mark.parametrize("width", [360, 820, 1280])
def test_no_width_scrolls_sideways(open_page: Open, width: int) -> None:
    for name in ("en", "hostile"):
        page = open_page(name, width=width)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("name", "scheme", "width"), [("en", "light", 1280), ("zh", "dark", 1280), ("en", "dark", 390)]
)
def test_axe_finds_nothing(open_page: Open, name: str, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(name, width=width, scheme=scheme)
    page.evaluate("[...document.querySelectorAll('details')].slice(0, 6).forEach((one) => { one.open = true; })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_it_prints_in_dark_on_white_whatever_the_scheme(open_page: Open) -> None:
    page = open_page(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.locator("nav").is_hidden()


@pytest.mark.parametrize("name", ["en", "zh", "hostile"])
def test_nothing_is_cut_off_at_the_edge_of_the_paper(open_page: Open, name: str) -> None:
    page = open_page(name, width=688)  # A4 less its margins, in CSS pixels
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    pages = page.pdf(format="A4", prefer_css_page_size=True)
    assert pages.startswith(b"%PDF-")
    assert pages.count(b"/Type /Page\n") + pages.count(b"/Type /Page ") > 1


def test_terms_are_explained_on_hover_and_at_the_end(open_page: Open) -> None:
    page = open_page()
    terms = page.locator("a.term")
    assert terms.count() > 8
    for i in range(terms.count()):
        entry = page.locator(terms.nth(i).get_attribute("href") or "")
        assert entry.locator("dd").inner_text() == terms.nth(i).get_attribute("title")
