"""``steelyard merge``: checkpoints made one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from steelyard.cli.output import console


def merge(
    *checkpoints: Path,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    share: Annotated[float | None, Parameter(name=["--share", "-t"])] = None,
    weights: str = "",
    method: Literal["slerp", "linear", "task"] = "slerp",
    base: Path | None = None,
) -> int:
    """Merge checkpoints of one architecture into a new folder that every engine loads like the first.

    A merge is a candidate, not an improvement: weigh it beside what it was made of.

    Args:
        checkpoints: folders with safetensors.
        out: the new folder.
        share: of two checkpoints the share of the second, 0.5 when left out.
        weights: one a checkpoint, comma-separated.
        method: slerp, linear, or task (base plus the weighted changes).
        base: for task, the checkpoint that the others were trained from.
    """
    from rich.progress import Progress

    from steelyard.tuning.merge import MergeConfig
    from steelyard.tuning.merge import merge as run

    config = MergeConfig(method, _weights(len(checkpoints), share, weights), base)
    err = console(stderr=True)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task("tensors", total=None)
        run(checkpoints, out, config, lambda done, total: bars.update(task, completed=done, total=total))
    console().print(f"{out} is written. Weigh it: steelyard weigh {checkpoints[0]} {out}", markup=False, soft_wrap=True)
    return 0


def _weights(count: int, share: float | None, text: str) -> tuple[float, ...]:
    from steelyard.errors import UsageError

    if share is not None and (count != 2 or text or not 0 <= share <= 1):
        raise UsageError("-t takes a share from 0 to 1, for two checkpoints and without --weights")
    if share is not None:
        return 1 - share, share
    try:
        return tuple(float(w) for w in text.split(",") if w.strip())
    except ValueError:
        raise UsageError(f"--weights takes numbers separated by commas, not {text!r}") from None
