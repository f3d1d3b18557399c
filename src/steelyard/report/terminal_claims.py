"""Claims and what became of them, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from steelyard.bench.advice.evidence import Answer, Finding

_STYLES = {Answer.HOLDS: "bold green", Answer.FAILS: "bold red", Answer.OPEN: "bold yellow"}


def print_claims(out: Console, findings: Sequence[Finding]) -> None:
    """Prints each claim, its answer, why, and the figures."""
    for finding in findings:
        out.print(
            Text.assemble((f"{finding.number}. {finding.claim} ", "bold"), (finding.answer, _STYLES[finding.answer]))
        )
        out.print(Text(f"   Tested: {finding.tested}."), soft_wrap=True)
        out.print(Text(f"   {finding.why}"), soft_wrap=True)
        for line in finding.figures:
            out.print(Text(f"     {line}", style="dim"), soft_wrap=True)
        if finding.answer is Answer.OPEN:
            out.print(Text(f"   Test it with systems and texts (--suite) of yours: {finding.command}"), soft_wrap=True)
    counts = {answer: sum(f.answer is answer for f in findings) for answer in Answer}
    tally = "; ".join(f"{answer}: {count}" for answer, count in counts.items() if count)
    out.print(Text(f"Of {len(findings)} claims, {tally}."))
