"""Plants each fault alone in real models and writes what the doctor names first into docs/doctor.md.

Run from the root of the repository: ``make doctor-matrix`` or ``python benchmarks/doctor_matrix.py``; takes about ten
minutes of one core. Progress is on stderr, the table on stdout as well.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "doctor"), str(ROOT / "tests" / "engines")]

import planted  # noqa: E402
import torch  # noqa: E402

from steelyard.doctor.case import Case  # noqa: E402
from steelyard.doctor.diagnose import diagnose  # noqa: E402
from steelyard.doctor.finding import Diagnosis  # noqa: E402
from steelyard.doctor.golden import shipped_golden  # noqa: E402
from steelyard.doctor.local import LocalReference  # noqa: E402
from steelyard.engines.e5_rebuild import write_e5_checkpoint  # noqa: E402

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"


def first(found: Diagnosis) -> str:
    return found.faults[0].fault.value if found.faults else found.verdict


class Remembered:
    """A target that is asked each question once, so that four examinations cost one."""

    def __init__(self, target) -> None:
        self._target, self.name, self.templates, self._known = target, target.name, target.templates, {}

    def embed(self, texts, role, dimensions=None):
        key = (tuple(texts), role, dimensions)
        if key not in self._known:
            self._known[key] = self._target.embed(texts, role, dimensions)
        return self._known[key]


def rows(model, folder, recipe, plants, *, quick: bool):
    """Each plant with right vectors, with what is shipped, with published figures and by behaviour alone.

    The figures are those of the healthy model, since its publisher printed none. Only the first is ranked.
    16-bit plants are not ranked: processors without such arithmetic take minutes for it.
    """
    reference, shipped = LocalReference(recipe), shipped_golden(recipe.name)
    figured = planted.with_figures(recipe, folder)
    for name, (plant, wanted) in plants.items():
        started = time.process_time()
        target = Remembered(planted.Planted(folder, recipe, plant))
        exact = diagnose(Case(target, recipe, reference, quick=quick or plant.dtype != "float32"))
        golden = diagnose(Case(target, recipe, shipped, quick=True)) if shipped else None
        figures = diagnose(Case(target, figured, quick=True))
        alone = diagnose(Case(target, recipe, quick=True))
        took = time.process_time() - started
        print(
            f"{took:6.1f} s",
            model,
            name,
            wanted,
            first(exact),
            first(figures),
            first(alone),
            file=sys.stderr,
            flush=True,
        )
        yield model, name, wanted, exact, golden, figures, alone


def line(model, name, wanted, exact, *others) -> str:
    sure = exact.faults[0].sure.name.lower() if exact.faults else ""
    cost = "" if exact.cost is None else str(exact.cost).replace(f" of {exact.cost.n}", "")
    named = " | ".join("" if found is None else marked(found, wanted) for found in (exact, *others))
    return f"| {model} | {name} | {wanted} | {named} | {sure} | {cost} |"


def marked(found: Diagnosis, wanted: str) -> str:
    return first(found) if first(found) == wanted else f"*{first(found)}*"


def matrix(results) -> list[str]:
    """Planted against named first, with right vectors; a dot for none."""
    named = Counter((wanted, first(exact)) for _, _, wanted, exact, *_ in results)
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
        small = [*rows("Qwen3 shape", tiny, planted.qwen3_recipe(tiny), planted.QWEN3, quick=True)]
        write([*rows("e5-small", e5, planted.e5_recipe(e5), planted.E5, quick=False), *small])


def write(results) -> None:
    right = sum(first(exact) == wanted for _, _, wanted, exact, *_ in results)
    columns = ("model", "planted", "is", "with right vectors", "with the shipped golden file")
    columns += ("by behaviour and published figures", "by behaviour alone")
    head = f"| {' | '.join(columns)} | sure | Top-1 |"
    lines = [f"{right} of {len(results)} named right with right vectors.", "", *matrix(results), ""]
    lines += [head, "|---" * 9 + "|", *(line(*r) for r in results)]
    print("\n".join(lines))
    page = ROOT / "docs" / "doctor.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    behind = rest.partition(END)[2]
    page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + behind, encoding="utf-8")


if __name__ == "__main__":
    main()
