"""``steelyard suites``: what can be weighed on, and checks of a user's own trap file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cyclopts import App

from steelyard.cli.output import console, write_json
from steelyard.cli.reading import ReadingOptions

if TYPE_CHECKING:
    from rich.console import Console

    from steelyard.suites.suite import Suite

app = App(name="suites", help="List the suites, show one, or check a trap file of your own.")
BAD_DATA = 3


@app.default
def list_suites(*, json: bool = False) -> int:
    """List the built-in and generated suites, and the labelled texts of `steelyard features`.

    Args:
        json: print one JSON document instead of lines.
    """
    from steelyard.suites.labelled_tiers import LABELLED
    from steelyard.suites.registry import suite_titles

    titles = suite_titles()
    labelled = {name: tier.card.title for name, tier in LABELLED.items()}
    if json:
        write_json(titles | labelled)
        return 0
    out = console()
    for name, title in titles.items():
        out.print(f"{name:<16} {title}", markup=False, soft_wrap=True)
    out.print("\nLabelled texts, for steelyard features --labelled:", markup=False)
    for name, title in labelled.items():
        out.print(f"{name:<16} {title}", markup=False, soft_wrap=True)
    out.print(
        "\nA generated suite takes a size: zh-idioms:5000. Your own files work as well: "
        "steelyard weigh --suite FOLDER_OR_FILE",
        markup=False,
        soft_wrap=True,
    )
    return 0


@app.command
def show(name: str, *, examples: int = 2, json: bool = False, reading: ReadingOptions | None = None) -> int:
    """Show a suite's card, its counts, some examples, and what looks wrong in it.

    Args:
        name: a suite as `steelyard suites` lists it, or your own folder or file.
        examples: groups or queries to print.
        json: print one JSON document instead of lines.
    """
    from steelyard.suites.audit import remarks
    from steelyard.suites.labelled_tiers import LABELLED

    if name.partition(":")[0] in LABELLED:
        _show_labelled(name, examples, json=json)
        return 0
    suite = (reading or ReadingOptions()).read(name)
    findings = remarks(suite)
    if json:
        write_json(_summary(suite) | {"findings": list(findings)})
        return 0
    out = console()
    for key, value in _summary(suite).items():
        out.print(f"{key:>12}  {value}", markup=False, soft_wrap=True)
    if suite.card.text:
        out.print("\n" + suite.card.text.strip(), markup=False, soft_wrap=True)
    _print_examples(out, suite, examples)
    for finding in findings:
        out.print(f"note: {finding}", markup=False, soft_wrap=True)
    return 0


@app.command
def check(file: str, *, json: bool = False, reading: ReadingOptions | None = None) -> int:
    """Check files of your own: how they are read, and what looks wrong in them.

    A trap file is checked by the rules that the built-in suites keep; see docs/writing-traps.md. Ends with exit code
    3 when the files cannot be read, or a hard rule is broken.

    Args:
        file: your own folder or file, or the name of a built-in suite.
        json: print one JSON document instead of lines.
    """
    from steelyard.suites.load import holds_traps
    from steelyard.suites.registry import built_in_path
    from steelyard.suites.trapcheck import check_traps

    if built_in_path(file) is None and not holds_traps(file):
        return _check_texts(file, reading or ReadingOptions(), json=json)
    report = check_traps(file)
    if json:
        write_json(report.to_dict())
    else:
        console().print(report.as_text(), markup=False, soft_wrap=True)
    return 0 if report.passed else BAD_DATA


def _check_texts(file: str, reading: ReadingOptions, *, json: bool) -> int:
    from steelyard.suites.audit import remarks

    suite = reading.read(file)
    found = remarks(suite)
    if json:
        write_json(_summary(suite) | {"findings": list(found)})
        return 0
    out = console()
    grades = Counter(grade for judged in suite.judgements.values() for grade in judged.values())
    told = ", ".join(f"{count:,} of grade {grade}" for grade, count in sorted(grades.items(), reverse=True)[:6])
    counts = f"{len(suite.queries):,} queries, {len(suite.documents):,} documents, judgements: {told}"
    out.print(f"{suite.name}: {suite.card.source}; {counts}", markup=False, soft_wrap=True)
    for line in found or ("nothing looks wrong",):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    return 0


def _show_labelled(name: str, examples: int, *, json: bool) -> None:
    from steelyard.suites.labelled_tiers import open_labelled

    labelled = open_labelled(name)
    counts = Counter(labelled.labels)
    facts = {
        "name": labelled.name,
        "title": labelled.card.title,
        "version": labelled.card.version,
        "licence": labelled.card.licence,
        "languages": ", ".join(labelled.card.languages),
        "source": labelled.card.source,
        "texts": len(labelled.texts),
        "labels": ", ".join(f"{label} {n}" for label, n in sorted(counts.items())),
        "commonest": f"{100 * labelled.commonest:.1f} %",
        "chance": f"{100 / len(counts):.1f} %",
        "checksum": labelled.checksum,
    }
    if json:
        write_json(facts)
        return
    out = console()
    for key, value in facts.items():
        out.print(f"{key:>12}  {value}", markup=False, soft_wrap=True)
    out.print("\n" + labelled.card.text, markup=False, soft_wrap=True)
    for label in sorted(counts):
        own = [t for t, given in zip(labelled.texts, labelled.labels, strict=True) if given == label]
        for text in own[:examples]:
            out.print(f"{label:>12}  {text[:160]}", markup=False, soft_wrap=True)


def _summary(suite: Suite) -> dict[str, object]:
    card = suite.card
    categories = Counter(q.category for q in suite.queries if q.category)
    return {
        "name": suite.name,
        "title": card.title,
        "version": card.version,
        "licence": card.licence,
        "languages": ", ".join(card.languages),
        "source": card.source,
        "canary": card.canary,
        "queries": len(suite.queries),
        "documents": len(suite.documents),
        "judgements": sum(map(len, suite.judgements.values())),
        "categories": ", ".join(f"{c} {n}" for c, n in sorted(categories.items())),
        "checksum": suite.checksum,
    }


def _print_examples(out: Console, suite: Suite, count: int) -> None:
    texts = {d.id: d.text for d in suite.documents}
    for query in suite.queries[:count]:
        out.print(f"\n{query.id}  {query.text}", markup=False, soft_wrap=True)
        labels: dict[str, str] = {d: k.value for d, k in suite.traps.get(query.id, {}).items()}
        labels = labels or {d: f"grade {g}" for d, g in suite.judgements.get(query.id, {}).items()}
        for document_id, label in list(labels.items())[:8]:
            out.print(f"  {label:<10} {texts.get(document_id, '(missing)')[:160]}", markup=False, soft_wrap=True)
