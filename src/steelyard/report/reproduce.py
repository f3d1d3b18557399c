"""What a reader needs to make the same result again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from steelyard.errors import SteelyardError
from steelyard.report.content import Report
from steelyard.report.economy import cost_source
from steelyard.report.table import Column, Table
from steelyard.retrieval.expression import parse
from steelyard.wording.words import Wording

_NUMBERED = re.compile(r" \(\d+\)$")


def weigh_command(report: Report) -> str:
    """The command that weighs the same systems; empty where they have no expressions."""
    names = tuple(dict.fromkeys(_NUMBERED.sub("", s.name) for s in report.result.systems))
    if not report.result.suite.checksum or not all(map(_is_expression, names)):
        return ""
    result = report.result
    options = ["--suite", result.suite.name, "--measures", ",".join(result.measures)]
    options += ["--costs", ""] if cost_source(result.systems) == "costs" else []
    options += ["--depth", str(result.depth), "--seed", str(result.seed)]
    return _lines("steelyard weigh", names, options)


def report_command(report: Report, language: str) -> str:
    """The command that makes this report from its result files; empty where their names are not known."""
    if not report.origins:
        return ""
    options = ["--measure", report.verdict.measure] if report.verdict.measure != report.result.measures[0] else []
    return _lines("steelyard report", report.origins, [*options, "--lang", language])


def facts(report: Report, w: Wording) -> Table:
    """Suite, settings and environment, as two columns; what is not known is left out."""
    result, here = report.result, report.result.environment
    pairs = [
        ("suite", f"{result.suite.name} {result.suite.version}".strip()),
        ("licence", result.suite.licence),
        ("checksum", result.suite.checksum),
        ("created", result.created),
        ("measures", ", ".join(result.measures)),
        ("depth", str(result.depth)),
        ("seed", str(result.seed)),
        ("version", here.steelyard),
        ("python", here.python),
        ("platform", here.platform),
        ("processor", here.processor),
        ("cores", str(here.cores or "")),
        ("memory", f"{here.memory_bytes / 1e9:.1f}" if here.memory_bytes else ""),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(here.packages.items()))),
    ]
    rows = tuple((w(f"reproduce.{key}"), value) for key, value in pairs if value)
    return Table("facts", (Column(w("reproduce.key")), Column(w("reproduce.value"))), rows)


def fingerprints(report: Report) -> tuple[tuple[str, str], ...]:
    """System and what computed it, for those that have engines."""
    return tuple((s.name, ", ".join(s.fingerprints)) for s in report.result.systems if s.fingerprints)


def _is_expression(name: str) -> bool:
    try:
        parse(name)
    except SteelyardError:
        return False
    return True


def _lines(head: str, names: Sequence[str], options: Sequence[str]) -> str:
    """A shell command, one argument a line where it would be long."""
    words = [*map(shlex.quote, names)]
    words += [
        f"{key} {shlex.quote(value)}" if value else key for key, value in zip(options[::2], options[1::2], strict=True)
    ]
    line = " ".join([head, *words])
    return line if len(line) <= 90 else " \\\n  ".join([head, *words])
