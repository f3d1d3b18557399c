"""The plainest form: a query a line, a document a line, and pairs of line numbers.

``queries.txt`` and ``docs.txt`` hold one text a line; ``pairs.tsv`` holds the one-based line number of a query, a tab,
that of a document that answers it, and, if wanted, a tab and a grade. The line numbers are the ids.
"""

from __future__ import annotations

from pathlib import Path

from steelyard.suites.building import SuiteBuilder
from steelyard.suites.findings import Findings, Place
from steelyard.suites.reading import as_grade, lines
from steelyard.suites.suite import Card, Suite

FILES = ("queries.txt", "docs.txt", "pairs.tsv")


def load(folder: Path, name: str, findings: Findings) -> Suite:
    """A suite from ``queries.txt``, ``docs.txt`` and ``pairs.tsv``."""
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        findings.add(f"needs {', '.join(FILES)}; missing: {', '.join(missing)}", Place(folder))
        findings.check()
    builder = SuiteBuilder(findings)
    queries, docs, pairs = (folder / file for file in FILES)
    for number, text in lines(queries, findings):
        builder.query(str(number), text.strip(), None, Place(queries, number))
    for number, text in lines(docs, findings):
        builder.document(str(number), text.strip(), Place(docs, number))
    for number, line in lines(pairs, findings):
        _pair(line, builder, Place(pairs, number))
    return builder.build(name, Card(source=f"plain texts ({', '.join(FILES)})"), folder)


def _pair(line: str, builder: SuiteBuilder, place: Place) -> None:
    fields = line.split("\t")
    if len(fields) not in (2, 3):
        builder.findings.add(
            f"has {len(fields)} fields; a pair is QUERY-LINE, tab, DOCUMENT-LINE, and perhaps tab, GRADE", place
        )
        return
    query, document = fields[0].strip(), fields[1].strip()
    for what, key, there in (("query", query, builder.queries), ("document", document, builder.documents)):
        if key not in there:
            file = FILES[0] if what == "query" else FILES[1]
            builder.findings.add(f"there is no {what} on line {key!r} of {file}", place)
            return
    grade = as_grade(fields[2].strip() if len(fields) == 3 else 1, place, builder.findings)
    if grade is not None:
        builder.judge(query, document, grade, place)
