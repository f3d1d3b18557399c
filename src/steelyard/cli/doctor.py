"""``steelyard doctor``: whether a model's folder or a server is what its recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from steelyard.cli.output import Lang, console, show, wording, write_json
from steelyard.errors import UsageError


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
        quick: ask for little and end within 10 seconds; what faults cost is not measured.
        deep: ask for two thousand answers more, for replicas and rare faults; within 15 minutes.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of a table.
    """

    recipe: str | None = None
    model: str = ""
    reference: Path | None = None
    record: Path | None = None
    templates: Literal["client", "server"] = "client"
    longest: int = 1024
    quick: bool = False
    deep: bool = False
    lang: Lang | None = None
    json: bool = False


def doctor(target: str, *, options: DoctorOptions | None = None) -> int:
    """Say what is wrong with a deployed model, how sure that is, what it costs, and how to fix it.

    Ends with 0 where all is well and every family of faults was checked, 9 where a fault was found, 10 where it cannot
    be told.

    Args:
        target: a model's folder, or the URL where an OpenAI-compatible API begins, as http://localhost:30000/v1.
    """
    import os

    from steelyard.doctor.depth import Mode
    from steelyard.doctor.examine import Request, examine, record_golden
    from steelyard.engines.remote.presets import key_for

    o = options or DoctorOptions()
    key = key_for(target, os.environ)
    if o.quick and o.deep:
        raise UsageError("--quick and --deep cannot both be meant; leave one out")
    mode: Mode = "quick" if o.quick else "deep" if o.deep else "normal"
    request = Request(target, o.recipe, o.model, o.reference, o.templates, key, o.longest, mode, _tell)
    if o.record is not None:
        golden = record_golden(request)
        golden.write(o.record)
        console(stderr=True).print(f"recorded {target} as {golden.recipe} in {o.record}", markup=False)
        return 0
    found = examine(request)
    if o.json:
        write_json(found.as_json())
    else:
        from steelyard.report.diagnosis_view import diagnosis_blocks

        show(diagnosis_blocks(found, wording(o.lang)))
    return found.exit_code


def _tell(name: str, place: int, count: int) -> None:
    """Progress, on stderr and for people alone."""
    out = console(stderr=True)
    if out.is_terminal:
        out.print(f"{place}/{count} {name}", style="dim", markup=False)
