"""``steelyard cache``: what is kept of earlier runs."""

from __future__ import annotations

from cyclopts import App

from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
from steelyard.cli.output import console, write_json

app = App(name="cache", help="Show or drop the vectors and scores kept of earlier runs.")


@app.default
def show(*, json: bool = False) -> int:
    """Show how many vectors the cache holds, for which models, and how much disk it takes.

    Args:
        json: print one JSON document instead of a table.
    """
    stats = VectorCache(default_cache_path()).stats()
    if json:
        write_json({"path": str(stats.path), "entries": stats.entries, "bytes": stats.bytes, "models": stats.models})
        return 0
    out = console()
    out.print(f"{stats.path}: {stats.entries:,} vectors and scores, {stats.bytes / 1e6:,.1f} MB", markup=False)
    for model, count in stats.models.items():
        out.print(f"  {count:>10,}  {model}", markup=False)
    return 0


@app.command
def clear(model: str | None = None) -> int:
    """Drop everything, or the entries of one model.

    Args:
        model: a fingerprint as `steelyard cache` prints it; everything when left out.
    """
    dropped = VectorCache(default_cache_path()).clear(model)
    console().print(f"dropped {dropped:,} entries")
    return 0
