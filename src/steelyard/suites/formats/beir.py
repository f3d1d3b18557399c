"""The folder layout of the BEIR benchmark (Thakur et al. 2021): corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from steelyard.suites.building import SuiteBuilder
from steelyard.suites.findings import Findings, Place
from steelyard.suites.formats.columns import Columns
from steelyard.suites.formats.tables import (
    DOCUMENT_COLUMNS,
    QUERY_COLUMNS,
    take_documents,
    take_judgements,
    take_queries,
)
from steelyard.suites.suite import Card, Suite

_SPLITS = ("test", "dev", "validation", "train")


def splits(folder: Path) -> dict[str, Path]:
    """split -> its file, the one that is taken by default first."""
    found = {p.stem: p for p in sorted((folder / "qrels").glob("*.tsv"))}
    if not found and (folder / "qrels.tsv").is_file():
        found = {"test": folder / "qrels.tsv"}
    return {s: found[s] for s in (*(s for s in _SPLITS if s in found), *(s for s in found if s not in _SPLITS))}


def load(folder: Path, name: str, mapping: Mapping[str, str], split: str | None, findings: Findings) -> Suite:
    """A suite from a BEIR folder; only the queries that the split judges are kept, as BEIR does."""
    found = splits(folder)
    if not found or (split is not None and split not in found):
        there = ", ".join(found) or "none"
        wanted = f"qrels/{split}.tsv" if split else "qrels/test.tsv"
        findings.add(f"has no {wanted}; splits there: {there}", Place(folder))
        findings.check()
    chosen = split or next(iter(found))
    builder = SuiteBuilder(findings)
    take_documents(folder / "corpus.jsonl", Columns(mapping, DOCUMENT_COLUMNS), builder)
    take_queries(folder / "queries.jsonl", Columns(mapping, QUERY_COLUMNS), builder)
    take_judgements(found[chosen], Columns(mapping), builder)
    kept = sum(q in builder.judgements for q in builder.queries)
    source = (
        f"BEIR folder (corpus.jsonl, queries.jsonl, {found[chosen].relative_to(folder)}; {kept} of "
        f"{len(builder.queries)} queries are judged there)"
    )
    return builder.build(name, Card(source=source), folder, only=builder.judgements.keys())
