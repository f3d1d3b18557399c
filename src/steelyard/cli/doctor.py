"""``steelyard doctor``: whether a model's folder or a server is what its recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from steelyard.cli.output import console, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from steelyard.doctor.finding import Cost, Diagnosis, Finding


@Parameter(name="*")
@dataclass(frozen=True)
class DoctorOptions:
    """What the target is held against.

    Attributes:
        recipe: what it should be: a model of `steelyard models`, or a recipe in a TOML file.
        model: the model's name on the server.
        reference: a golden file, or the folder of the same checkpoint; with either the fault is named exactly.
        record: take the target for healthy and write its vectors into this golden file.
        templates: who puts the templates on: `client` for plain servers, `server` for those with an input type.
        longest: tokens of the longest text that is sent.
        quick: leave out what the faults cost, which asks for the vectors of 244 texts.
        json: print one JSON document instead of a table.
    """

    recipe: str | None = None
    model: str = ""
    reference: Path | None = None
    record: Path | None = None
    templates: Literal["client", "server"] = "client"
    longest: int = 1024
    quick: bool = False
    json: bool = False


def doctor(target: str, *, options: DoctorOptions | None = None) -> int:
    """Say what is wrong with a deployed model, how sure that is, what it costs, and how to mend it.

    Ends with 0 where all is well, 9 where a fault was found, 10 where it cannot be told.

    Args:
        target: a model's folder, or the URL where an OpenAI-compatible API begins, as http://localhost:30000/v1.
    """
    import os

    from steelyard.doctor.examine import Request, examine, record_golden
    from steelyard.engines.remote.openai import KEYS

    o = options or DoctorOptions()
    key = next((os.environ[k] for k in KEYS if os.environ.get(k)), None)
    request = Request(target, o.recipe, o.model, o.reference, o.templates, key, o.longest, o.quick)
    if o.record is not None:
        golden = record_golden(request)
        golden.write(o.record)
        console(stderr=True).print(f"recorded {target} as {golden.recipe} in {o.record}", markup=False)
        return 0
    found = examine(request)
    if o.json:
        write_json(found.as_json())
    else:
        _show(found)
    return found.exit_code


def _show(found: Diagnosis) -> None:
    out = console()
    against = f", right vectors from {found.reference}" if found.reference else ""
    out.print(f"{found.target} as {found.recipe}{against}", markup=False, soft_wrap=True)
    if found.findings:
        out.print(_table(found.findings))
    for one in found.skipped:
        out.print(f"not checked: {one}", markup=False, soft_wrap=True)
    out.print(f"{_VERDICTS[found.verdict]} {len(found.checks)} checks made.", markup=False, soft_wrap=True)
    if found.top1 is not None:
        out.print(_cost(found.top1, found.cost), markup=False, soft_wrap=True)


def _cost(top1: float, cost: Cost | None) -> str:
    if cost is None:
        return f"Top-1 of the small suite: {top1:.2f}; what is lost needs right vectors to say."
    if cost.lost == cost.won == 0:
        return f"Cost: none seen; Top-1 {top1:.2f} on {cost.n} queries, each right or wrong as with the right vectors."
    noise = "; this may be noise" if cost.is_noise else ""
    return f"Cost of all together: Top-1 {top1:.2f}, {cost}{noise}."


_VERDICTS = {
    "healthy": "Healthy: nothing found.",
    "faulty": "Faults found, the most likely cause first.",
    "unclear": "Cannot tell: nothing sure was found.",
}


def _table(findings: tuple[Finding, ...]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "sure", "fault", "what is wrong, what was seen, and the mend", box=None, padding=(0, 1))
    for number, f in enumerate(findings, 1):
        mend = f"\n-> {f.mend}" if f.mend else ""
        told = escape(f"{f.what}\n   {f.evidence}{mend}")
        table.add_row(str(number), f.sure.name.lower(), f.fault.value, told)
    return table
