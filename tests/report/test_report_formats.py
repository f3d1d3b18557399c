"""Page, Markdown, CSV and pictures as files."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_fakes import HOSTILE, cost, hostile_report, result_of, trap_suite, weighed, whole_report, whole_result

from steelyard.bench.evaluation.result import SystemRecord, load, save
from steelyard.cli import main
from steelyard.cost.figure import Figure
from steelyard.cost.price import Price, bill
from steelyard.cost.record import Load
from steelyard.cost.storage import grid
from steelyard.errors import ResultError, UsageError
from steelyard.report.content import Report, compose
from steelyard.report.csv import COLUMNS, to_csv
from steelyard.report.embed import safe_json
from steelyard.report.images import write_pictures
from steelyard.report.markdown import grid as markdown_grid
from steelyard.report.markdown import to_markdown
from steelyard.report.page import to_page
from steelyard.report.reproduce import weigh_command
from steelyard.report.table import Column, Table
from steelyard.report.write import choose_format, default_path
from steelyard.wording.words import LANGUAGES, load_wording

EN = load_wording("en")


class Reader(HTMLParser):
    """Elements, their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


# The page


def test_the_page_points_nowhere(pages: dict[str, Path]) -> None:
    for path in pages.values():
        for tag, attributes in Reader(path.read_text(encoding="utf-8")).elements:
            for name in ("src", "href", "action", "srcset", "data", "poster"):
                assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml,")), (tag, attributes)
            assert not [a for a in attributes if a.startswith("on")], (tag, attributes)
            assert tag not in ("iframe", "object", "embed", "base")


def test_the_policy_allows_exactly_the_scripts_that_are_there(pages: dict[str, Path]) -> None:
    for path in pages.values():
        page = Reader(path.read_text(encoding="utf-8"))
        policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
        kinds = [a.get("type") for t, a in page.elements if t == "script"]
        assert kinds == ["application/json", "application/json", None, None]
        for script, kind in zip(page.scripts, kinds, strict=True):
            if kind is None:
                digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
                assert f"'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy
        assert re.search(r"script-src [^;]*unsafe", policy) is None


def test_texts_that_mean_harm_stay_texts(pages: dict[str, Path]) -> None:
    text = pages["hostile"].read_text(encoding="utf-8")
    page = Reader(text)
    assert sum(tag == "script" for tag, _ in page.elements) == 4
    assert "img" not in {tag for tag, _ in page.elements}
    assert "{{ 7 * 7 }}" in text  # set as it is, not computed
    lost = json.loads(page.scripts[1])
    assert any(HOSTILE[2] in query[0] for query in lost["queries"])
    for script in page.scripts[:2]:
        assert not set("<>&\u2028\u2029") & set(script)


def test_the_page_is_the_same_every_time_and_not_large() -> None:
    report = whole_report()
    first, again = to_page(report, EN), to_page(report, EN)
    assert first == again
    assert len(first.encode()) < 1_100_000


def test_a_published_table_makes_a_page_too() -> None:
    page = to_page(compose(load("published:a100-8x24")), load_wording("zh"))
    assert 'lang="zh-Hans"' in page
    assert load_wording("zh")("lost.unavailable") in page
    assert load_wording("zh")("reproduce.no_command") in page


def test_one_system_makes_a_page() -> None:
    suite = trap_suite(4)
    page = to_page(compose(result_of(suite, (weighed("bm25", suite),), complete=False)), EN)
    assert EN("statistics.few") in page
    assert EN("reproduce.interrupted") in page


@settings(max_examples=25)
@given(st.recursive(st.text() | st.integers(-9, 9), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_json_for_a_script_element_says_the_same_and_cannot_end_it(value: object) -> None:
    text = safe_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_lone_surrogates_do_not_break_the_page() -> None:
    assert json.loads(safe_json({"a\ud800": ["\udfff"]})) == {"a?": ["?"]}


# Markdown


def columns(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown_tables_keep_their_columns_whatever_the_texts_are(language: str) -> None:
    text = to_markdown(hostile_report(), load_wording(language))
    blocks = [b.splitlines() for b in text.split("\n\n") if b.startswith("|")]
    assert len(blocks) >= 6
    for lines in blocks:
        assert len({columns(line) for line in lines}) == 1, lines[:3]
    outside = re.sub(r"```.*?```", "", text, flags=re.S)
    assert not re.search(r"(?<!\\)<(script|img)", outside)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_any_text_fits_into_a_cell(cells: list[str]) -> None:
    lines = markdown_grid(Table("x", (Column("a"), Column("b")), (tuple(cells),))).split("\n")
    assert len(lines) == 3
    assert columns(lines[2].replace("\\\\", "")) == 3


def test_markdown_carries_the_same_figures_as_the_page(pages: dict[str, Path]) -> None:
    page = pages["en"].read_text(encoding="utf-8")
    text = to_markdown(whole_report(), EN)
    cells = re.findall(r"(?<=\| )[+−]?\d+\.\d(?= \|)", text)
    assert len(cells) > 40
    assert all(cell in page for cell in cells)
    assert "steelyard report zh-fakes.json --lang en" in text


# CSV


def test_csv_carries_everything_unrounded() -> None:
    report = whole_report()
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert tuple(rows[0]) == COLUMNS
    tables = {r["table"] for r in rows}
    assert tables == {
        "figures", "failed", "categories", "ranked_first", "pairs", "milliseconds_per_query", "costs", "lost",
    }  # fmt: skip
    judged = {r["system"]: r for r in rows if r["table"] == "figures" and r["measure"] == "top1"}
    for name, figure in report.verdict.figures.items():
        assert float(judged[name]["value"]) == figure.estimate
        assert float(judged[name]["high"]) == figure.high
        assert judged[name]["group"] == report.verdict.letters[name]
    pairs = [r for r in rows if r["table"] == "pairs"]
    assert [float(r["p_holm"]) for r in pairs] == [c.p_holm for c in report.verdict.comparisons]
    assert sum(r["table"] == "lost" for r in rows) == sum(len(q.losses) for q in report.lost.shown)


def test_no_cell_of_the_csv_is_a_formula() -> None:
    rows = csv.DictReader(io.StringIO(to_csv(hostile_report())))
    cells = [c for row in rows for c in row.values()]
    assert any(c.startswith("'=HYPERLINK") for c in cells)
    for cell in cells:
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))
        assert not cell.startswith("-") or float(cell) < 0


# Pictures


def test_pictures_are_drawn_without_a_network(tmp_path: Path) -> None:
    suite = trap_suite(12)
    report = compose(result_of(suite, tuple(weighed(f"e5-small[dim={d}]", suite, d) for d in (8, 64))))
    drawn = write_pictures(report, load_wording("zh"), tmp_path / "new", "svg")
    assert [p.name for p in drawn] == [
        "intervals.svg", "categories.svg", "fooled.svg", "pareto.svg", "sweep-dim.svg", "cost-search_ms.svg",
        "cost-index_s.svg",
    ]  # fmt: skip
    for path in drawn:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        texts = " ".join(e.text or "" for e in root.iter())
        assert ("维度" if path.stem == "sweep-dim" else "e5-small[dim=64]") in texts


def test_a_png_is_a_png(tmp_path: Path) -> None:
    suite = trap_suite(3)
    made = write_pictures(
        compose(result_of(suite, (SystemRecord(name="a", values={"top1": (1.0, 0.0, 1.0)}),))), EN, tmp_path, "png"
    )
    assert [p.name for p in made] == ["intervals.png", "categories.png"]
    assert {p.read_bytes()[:8] for p in made} == {b"\x89PNG\r\n\x1a\n"}


# One endpoint, measured alone


def endpoint_report() -> Report:
    """An endpoint under load, with a price."""
    suite, f = trap_suite(6), lambda v: Figure(value=v, low=v, high=1.5 * v, rounds=4)
    levels = tuple(Load(clients=n, texts_per_second=f(20.5 + n), p50_ms=f(7.0 * n), failed=n // 4) for n in (1, 4))  # type: ignore[no-untyped-call]
    priced = {"bill": bill(Price(per_hour=2.0), f(25.0), 40.0), "storage": grid([32, 1024])}  # type: ignore[no-untyped-call]
    costs = cost(12.0, 1024).model_copy(update={"load": levels, "saturation": 4, **priced})
    return compose(result_of(suite, (weighed("openai:m@http://localhost:1/v1", suite, costs=costs),)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_endpoint_has_its_costs_its_load_and_every_size_of_its_vectors(language: str) -> None:
    report, w = endpoint_report(), load_wording(language)
    for text in (to_page(report, w), to_markdown(report, w)):
        for key in ("costs.million_texts", "costs.million_tokens", "costs.by_precision", "costs.under_load"):
            assert w(key) in text
        for figure in ("4.10", "0.128", "0.00400", "24.5 (24.5–36.8)", "28.0 (28.0–42.0)"):
            assert figure in text, figure


def test_the_csv_has_load_and_sizes_of_vectors() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(endpoint_report()).lstrip("\ufeff"))))
    sizes = {(r["measure"], r["kind"]): float(r["value"]) for r in rows if r["table"] == "bytes_a_million_documents"}
    assert sizes["binary", "1024"] == 128e6
    assert sizes["int8", "32"] == 32e6 + 128
    loads = [(r["kind"], r["measure"], r["value"]) for r in rows if r["table"] == "load"]
    assert ("4", "texts_per_second", "24.5") in loads
    assert sum(name != "failed" for _, name, _ in loads) == 4


# The command


def test_the_command_that_made_a_result_is_given_back() -> None:
    report = whole_report()
    command = weigh_command(report)
    assert "'e5-small[dim=32]'" in command
    assert "--suite zh-fakes" in command
    assert "--seed 11" in command
    assert ("--costs" in command.split()) == any(s.costs for s in report.result.systems)
    assert weigh_command(hostile_report()) == ""


def test_the_command_line_writes_beside_the_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save(whole_result(), tmp_path / "zh.json")
    assert main(["report", str(tmp_path / "zh.json"), "--format", "md", "--lang", "zh", "--measure", "mrr"]) == 0
    assert (tmp_path / "zh.md").read_text(encoding="utf-8").startswith("# 建议选用 ")
    assert main(["report", str(tmp_path / "zh.json"), "--out", str(tmp_path / "deep" / "x.csv")]) == 0
    assert (tmp_path / "deep" / "x.csv").read_bytes().startswith(b"\xef\xbb\xbftable,")
    assert "x.csv" in capfd.readouterr().out
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name one result file or more"),
        (["nowhere.json"], 3, "nowhere.json cannot be read"),
        (["published:a100-8x24", "--out", "a.pdf"], 2, "a report is html, md, csv, png, svg, not 'pdf'"),
        (["published:a100-8x24", "--out", "a.md", "--format", "csv"], 2, "disagree"),
        (["published:a100-8x24", "--out", "/dev/null/a.md"], 3, "/dev/null/a.md cannot be written"),
        (["published:a100-8x24", "--measure", "mrr", "--out", "a.md"], 3, "not measured by mrr"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    arguments: list[str], code: int, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments]) == code
    assert words in " ".join(capfd.readouterr().err.split())


def test_formats_and_places() -> None:
    assert [choose_format(None, Path(p)) for p in ("a.htm", "a.MD", "b.svg")] == ["html", "md", "svg"]
    assert choose_format("png", Path("pictures.v2")) == "png"
    with pytest.raises(UsageError, match="not 'v2'"):
        choose_format(None, Path("report.v2"))
    assert default_path("results/zh-traps-v1.0.json", "html") == Path("results/zh-traps-v1.0.html")
    assert default_path("results/zh.json", "png") == Path("results/zh-png")
    assert default_path("published:a100-8x24", "md") == Path("a100-8x24.md")


def test_pictures_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultError, match="Give a folder with --out"):
        write_pictures(compose(load("published:a100-8x24")), EN, tmp_path / "file", "svg")
