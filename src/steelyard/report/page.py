"""A report as one HTML file that asks no network for anything.

What is inline: style, Vega, a script for the list of lost queries, the figures. A content security policy in the file
forbids every request and every script but these two, so that a text of a user stays a text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

from steelyard.errors import MissingExtraError
from steelyard.report import costs, reproduce, sentences, tables
from steelyard.report.charts import pictures
from steelyard.report.content import Report
from steelyard.report.drawing import INSTALL, Picture
from steelyard.report.embed import lost_data, safe_json
from steelyard.report.html import table_to_html
from steelyard.report.images import vega_lite_version
from steelyard.report.mark import icon, mark
from steelyard.report.table import Table
from steelyard.wording.words import Wording

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATE = "page.html.jinja"
MOST_HEADLINE = 170
"""Characters of a headline that is set large."""


def to_page(report: Report, w: Wording) -> str:
    """The whole file as text.

    Raises:
        MissingExtraError: the extra ``report`` is not installed.
    """
    # A number and its percent sign stay on one line.
    w = replace(w, words={key: text.replace(" %", "\u00a0%") for key, text in w.words.items()})
    drawn = {picture.key: picture for picture in pictures(report, w)}
    vega, script = _vega(vega_lite_version()), _asset("page.js")
    has_lost = bool(report.lost.shown)
    headline = sentences.title(report, w)
    values = {
        "r": report,
        "w": w,
        "pictures": drawn,
        "figures": {key: _table_of(key, report, w) for key in drawn},
        "headline": _named(headline, report.systems),
        "long": len(headline) > MOST_HEADLINE,
        "reason": _named(sentences.reason(report, w), report.systems),
        "details": [_named(line, report.systems) for line in sentences.details(report, w)],
        "remarks": sentences.remarks(report, w),
        "main": tables.main_table(report, w),
        "pairs": tables.pair_table(report, w),
        "glossary": sentences.glossary(w),
        "lost_intro": sentences.lost_intro(report, w),
        "backing": sentences.backing(report, w),
        "caption": sentences.caption(report, w),
        "weigh_command": reproduce.weigh_command(report),
        "report_command": reproduce.report_command(report, w.language),
        "facts": reproduce.facts(report, w),
        "fingerprints": reproduce.fingerprints(report),
        "cost_pictures": [p for key, p in drawn.items() if key.startswith("cost-")],
        "sections": _sections(report, drawn),
        "table": partial(_table, w),
        "version": metadata.version("steelyard"),
        "style": _raw(_asset("page.css")),
        "mark": _raw(mark()),
        "icon": icon(),
        "vega": _raw(vega),
        "script": _raw(script),
        "policy": _policy(vega, script),
        "specs": _raw(safe_json({key: _bare(p.spec) for key, p in drawn.items() if key != "intervals"})),
        "lost": _raw(safe_json(lost_data(report, w))) if has_lost else "",
        "cost_table": tables.cost_table(report, w),
        "cost_details": costs.detail_tables(report, w),
    }
    return str(_environment().get_template(_TEMPLATE).render(values)).encode("utf-8", "replace").decode()


def _sections(report: Report, drawn: dict[str, Picture]) -> list[str]:
    """The sections that the page has, in order."""
    there = {
        "table": True,
        "categories": "categories" in drawn,
        "fooled": "fooled" in drawn,
        "lost": True,
        "pareto": report.pace is not None,
        "sweeps": bool(report.sweeps),
        "costs": bool(report.costs),
        "statistics": True,
        "reproduce": True,
        "glossary": True,
    }
    return [name for name, present in there.items() if present]


def _table(w: Wording, table: Table, name: str = "plain") -> Any:
    """A table for the template."""
    return _raw(table_to_html(table, name, w))


def _table_of(key: str, report: Report, w: Wording) -> Table:
    """The figures of a picture."""
    if key.startswith("sweep-"):
        sweep = next(s for s in report.sweeps if key == f"sweep-{s.option}")
        return tables.sweep_table(report, sweep, w)
    makers = {"pareto": tables.pace_table, "categories": tables.category_table, "fooled": tables.winners_table}
    return makers.get(key, tables.main_table)(report, w)


def _bare(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A chart without its legend, which the page sets as text."""
    return {**spec, "config": {**spec["config"], "legend": {"disable": True}}}


def _named(text: str, names: Sequence[str]) -> Any:
    """Text in which the names of systems do not break across lines where that can be helped."""
    from markupsafe import Markup, escape

    pattern = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))
    parts = re.split(f"((?:{pattern})[,.;:，。、；：]?)", text)
    wrap = Markup('<span class="name-in-line">{}</span>')
    return Markup("").join(wrap.format(part) if i % 2 else escape(part) for i, part in enumerate(parts))


def _policy(*scripts: str) -> str:
    """Nothing is fetched, and no script runs but the ones given."""
    sums = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    rest = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {sums}; {rest}"


@cache
def _vega(version: str) -> str:
    try:
        import vl_convert
    except ImportError as wrong:
        raise MissingExtraError("the HTML report", INSTALL) from wrong
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    return bundle.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _asset(name: str) -> str:
    return (resources.files("steelyard.report") / "templates" / name).read_text(encoding="utf-8")


def _raw(text: str) -> Any:
    _require_jinja()
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - only the project's own files, escaped JSON and escaped tables come here


def _environment() -> Environment:
    _require_jinja()
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _require_jinja() -> None:
    try:
        import jinja2  # noqa: F401
    except ImportError as wrong:
        raise MissingExtraError("the HTML report", INSTALL) from wrong
