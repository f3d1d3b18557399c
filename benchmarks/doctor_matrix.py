"""Plants each fault alone in real models and writes what the doctor names first into docs/doctor.md.

Run from the root of the repository: ``python benchmarks/doctor_matrix.py``; takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "doctor"), str(ROOT / "tests" / "engines" / "torch")]

import planted  # noqa: E402
import torch  # noqa: E402

from steelyard.doctor.case import Case  # noqa: E402
from steelyard.doctor.diagnose import diagnose  # noqa: E402
from steelyard.doctor.finding import Diagnosis  # noqa: E402
from steelyard.doctor.local import LocalReference  # noqa: E402
from steelyard.engines.e5_rebuild import write_e5_checkpoint  # noqa: E402

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"


def first(found: Diagnosis) -> str:
    return found.faults[0].fault.value if found.faults else found.verdict


def rows(model, folder, recipe, plants):
    reference = LocalReference(recipe)
    for name, (plant, wanted) in plants.items():
        target = planted.Planted(folder, recipe, plant)
        exact = diagnose(Case(target, recipe, reference))
        alone = diagnose(Case(target, recipe))
        print(model, name, wanted, first(exact), first(alone), file=sys.stderr, flush=True)
        yield model, name, wanted, exact, alone


def line(model, name, wanted, exact, alone) -> str:
    fault = exact.faults[0] if exact.faults else None
    sure = fault.sure.name.lower() if fault else ""
    cost = "" if fault is None or fault.top1 is None else f"{fault.top1:+.2f}"
    mark = "" if first(exact) == wanted else " **wrong**"
    return f"| {model} | {name} | {wanted} | {first(exact)}{mark} | {sure} | {cost} | {first(alone)} |"


def matrix(results) -> list[str]:
    """Planted against named first, with right vectors; a dot for none."""
    named = Counter((wanted, first(exact)) for _, _, wanted, exact, _ in results)
    labels = sorted({label for pair in named for label in pair}, key=lambda s: (s != "healthy", s))
    head = [f"| planted \\ named first | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    return head + [f"| {a} | {' | '.join(str(named[a, b] or '·') for b in labels)} |" for a in labels]


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        e5 = write_e5_checkpoint(Path(place) / "multilingual-e5-small")
        tiny = Path(place) / "qwen3"
        tiny.mkdir()
        planted.write_qwen3(tiny)
        small = [*rows("Qwen3 shape", tiny, planted.qwen3_recipe(tiny), planted.QWEN3)]
        results = [*rows("e5-small", e5, planted.e5_recipe(e5), planted.E5), *small]
    right = sum(first(exact) == wanted for _, _, wanted, exact, _ in results)
    head = "| model | planted | is | named first, with right vectors | sure | Top-1 | named first, by behaviour alone |"
    lines = [f"{right} of {len(results)} named right with right vectors.", "", *matrix(results), ""]
    lines += [head, "|---" * 7 + "|", *(line(*r) for r in results)]
    page = ROOT / "docs" / "doctor.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    behind = rest.partition(END)[2]
    page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + behind, encoding="utf-8")


if __name__ == "__main__":
    main()
