"""How many planted faults the doctor notices, and how many it names, on a server that shares no code with steelyard.

The faults are split in half by a fixed seed: one half is for development, the other is looked at once. Each fault is
examined with --quick, by the shipped golden file and by behaviour alone.

Run: python benchmarks/doctor_faults/examine_faults.py --half a [--family texts] [--seconds 600]; prints one line a
fault and a table by family. The first run fills the cache of vectors; later ones cost the changed trunks alone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2] / "tests")]

from faulty_model import PlainModel  # noqa: E402
from faulty_server import Fault, FaultyServer  # noqa: E402
from planted_faults import faults  # noqa: E402

from served import serving_app  # type: ignore[import-not-found]  # noqa: E402
from steelyard.doctor.case import Case  # noqa: E402
from steelyard.doctor.depth import DEPTHS, Clock  # noqa: E402
from steelyard.doctor.diagnose import diagnose  # noqa: E402
from steelyard.doctor.finding import Diagnosis  # noqa: E402
from steelyard.doctor.golden import shipped_golden  # noqa: E402
from steelyard.doctor.local import Reference  # noqa: E402
from steelyard.doctor.target import ServerConfig, ServerTarget  # noqa: E402
from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint  # noqa: E402
from steelyard.models.registry import load_recipe  # noqa: E402

SEED = 20261201
UNHURRIED = 3600.0
"""Seconds of an examination: what is measured is what is noticed, on however busy a machine."""


def halves() -> dict[str, dict[str, Fault]]:
    """Every second fault of a shuffled list, so that no half was chosen."""
    everything = faults()
    names = sorted(everything)
    random.Random(SEED).shuffle(names)
    return {"a": {n: everything[n] for n in names[::2]}, "b": {n: everything[n] for n in names[1::2]}}


def examined(url: str, reference: Reference | None, longest: int) -> Diagnosis:
    """The quick mode."""
    target = ServerTarget(ServerConfig(url, "model"))
    try:
        return diagnose(
            Case(target, load_recipe("e5-small"), reference, longest, DEPTHS["quick"]), clock=Clock(UNHURRIED)
        )
    finally:
        target.close()


def rows(server: FaultyServer, url: str, chosen: dict[str, Fault], stop: float) -> Iterator[dict[str, object]]:
    """One fault a row: what was named by golden file and by behaviour alone."""
    golden = shipped_golden("e5-small")
    for name, fault in chosen.items():
        if time.monotonic() > stop:
            return
        row: dict[str, object] = {"name": name, "family": fault.family, "wanted": fault.wanted}
        for kind, reference in (("golden", golden), ("none", None)):
            server.switch(fault)
            found = examined(url, reference, 1024)
            row[kind] = [f.fault.value for f in found.faults]
            row[f"{kind} verdict"] = found.verdict
            row["requests"], row["texts"] = server.requests, server.texts
        print(json.dumps(row), flush=True)
        yield row


def table(results: list[dict[str, object]]) -> None:
    """Noticed, named first, named among the first three; by family."""
    by: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in results:
        by[str(row["family"])].append(row)
        by["all"].append(row)
    print("| family | faults | golden: noticed | first | top 3 | none: noticed | first | top 3 |")
    print("|---|---|---|---|---|---|---|---|")
    for family, some in sorted(by.items()):
        cells = [family, str(len(some))]
        for kind in ("golden", "none"):
            names = [(list(r[kind]), list(r["wanted"])) for r in some]  # type: ignore[call-overload]
            cells.append(str(sum(bool(n) for n, _ in names)))
            cells.append(str(sum(bool(n) and n[0] in w for n, w in names)))
            cells.append(str(sum(any(x in w for x in n[:3]) for n, w in names)))
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """One half, perhaps one family of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("a", "b"), default="a")
    parser.add_argument("--family", default="")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "doctor_faults")
    given = parser.parse_args()
    folder = given.folder / "multilingual-e5-small"
    if not (folder / "model.safetensors").is_file():
        write_e5_checkpoint(folder)
    server = FaultyServer(PlainModel(folder, "mean", given.folder / "vectors.sqlite"))
    chosen = {"healthy": Fault("healthy", ())} | halves()[given.half]
    chosen = {n: f for n, f in chosen.items() if not given.family or f.family in (given.family, "healthy")}
    chosen = dict(sorted(chosen.items(), key=lambda item: bool(item[1].trunk or item[1].pooling)))  # dear ones last
    with serving_app(server.app) as url:
        table(list(rows(server, f"{url}/v1", chosen, time.monotonic() + given.seconds)))


if __name__ == "__main__":
    main()
