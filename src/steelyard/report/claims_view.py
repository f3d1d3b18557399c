"""Claims and what became of them, in lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steelyard.bench.advice.evidence import Answer, Finding
from steelyard.report.table import Block, Line


def claim_blocks(findings: Sequence[Finding]) -> Iterator[Block]:
    """Each claim, its answer, why, and the figures."""
    for finding in findings:
        yield Line(f"{finding.number}. {finding.claim} {finding.answer}", "heading")
        yield Line(f"   Tested: {finding.tested}.")
        yield Line(f"   {finding.why}")
        yield from (Line(f"     {line}", "quiet") for line in finding.figures)
        if finding.answer in (Answer.OPEN, Answer.NOT_TESTED):
            yield Line(f"   Test it with systems and texts (--suite) of yours: {finding.command}")
    counts = {answer: sum(f.answer is answer for f in findings) for answer in Answer}
    tally = "; ".join(f"{answer}: {count}" for answer, count in counts.items() if count)
    yield Line(f"Of {len(findings)} claims, {tally}.")
