"""``steelyard search``: ask an index."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from steelyard.cli.output import console, write_json

_SHOWN = 200


def search(folder: Path, query: str, *, top: int = 10, where: str = "", force: bool = False, json: bool = False) -> int:
    """Search an index; the ranking is that of the system it was built for.

    Args:
        folder: of the index.
        query: as a person types it.
        top: hits at the most.
        where: only documents whose metadata fit, as in `lang=zh,year>=2020,kind!=draft,source=faq|manual`.
        force: go on although other engines made the vectors that are there.
        json: print one JSON document instead of lines.
    """
    from steelyard.index.index import Index

    with Index.open(folder, force=force) as index:
        found = index.search(query, top, where or None)
    if json:
        write_json([asdict(hit) for hit in found])
        return 0
    out = console()
    for rank, hit in enumerate(found, 1):
        text = hit.text if len(hit.text) <= _SHOWN else hit.text[:_SHOWN] + "…"
        out.print(f"{rank:>2}  {hit.score:8.4f}  {hit.id}\n    {' '.join(text.split())}", markup=False, soft_wrap=True)
    if not found:
        out.print("nothing found")
    return 0
