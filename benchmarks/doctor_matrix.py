"""Plants each fault alone in real models and writes what the doctor names first into docs/doctor.md.

Run from the root of the repository: ``make doctor-matrix`` or ``python benchmarks/doctor_matrix.py``; takes about ten
minutes of one core. Progress is on stderr, the table on stdout as well.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "doctor"), str(ROOT / "tests" / "engines")]

import planted  # noqa: E402
import torch  # noqa: E402

from steelyard.doctor.case import Case  # noqa: E402
from steelyard.doctor.depth import DEPTHS  # noqa: E402
from steelyard.doctor.diagnose import diagnose  # noqa: E402
from steelyard.doctor.finding import Diagnosis  # noqa: E402
from steelyard.doctor.golden import shipped_golden  # noqa: E402
from steelyard.doctor.local import LocalReference  # noqa: E402
from steelyard.doctor.target import Answer, Target  # noqa: E402
from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint  # noqa: E402
from steelyard.models.recipe import Recipe  # noqa: E402
from steelyard.types import Role  # noqa: E402

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
HEADS = (
    "model",
    "planted",
    "is",
    "with right vectors",
    "with the shipped golden file",
    "by behaviour and published figures",
    "by behaviour alone",
    "sure",
    "Top-1",
)


class Remembered:
    """A target that is asked each question once, so that four examinations cost one."""

    def __init__(self, target: Target) -> None:
        self._target, self.name, self.templates = target, target.name, target.templates
        self._known: dict[tuple[tuple[str, ...], Role | None, int | None], Answer] = {}

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        """See :class:`Target`."""
        key = (tuple(texts), role, dimensions)
        if key not in self._known:
            self._known[key] = self._target.embed(texts, role, dimensions)
        return self._known[key]


@dataclass(frozen=True)
class Row:
    """One fault in one model, examined in four ways; None where nothing is shipped."""

    model: str
    planted: str
    wanted: str
    exact: Diagnosis
    golden: Diagnosis | None
    figures: Diagnosis
    alone: Diagnosis

    def __str__(self) -> str:
        found = self.exact
        sure = found.faults[0].sure.name.lower() if found.faults else ""
        cost = "" if found.cost is None else str(found.cost).replace(f" of {found.cost.n}", "")
        named = (self._marked(d) for d in (found, self.golden, self.figures, self.alone))
        return f"| {' | '.join((self.model, self.planted, self.wanted, *named, sure, cost))} |"

    def _marked(self, found: Diagnosis | None) -> str:
        if found is None:
            return ""
        return first(found) if first(found) == self.wanted else f"*{first(found)}*"


def first(found: Diagnosis) -> str:
    """The fault that is named first."""
    return found.faults[0].fault.value if found.faults else found.verdict


def rows(
    model: str, folder: Path, recipe: Recipe, plants: Mapping[str, tuple[planted.Plant, str]], *, quick: bool
) -> Iterator[Row]:
    """Each plant with right vectors, with what is shipped, with published figures and by behaviour alone.

    The figures are those of the healthy model, since its publisher printed none. Only the first is ranked.
    16-bit plants are not ranked: processors without such arithmetic take minutes for it.
    """
    reference, shipped = LocalReference(recipe), shipped_golden(recipe.name)
    figured = planted.with_figures(recipe, folder)
    for name, (plant, wanted) in plants.items():
        started = time.process_time()
        target = Remembered(planted.Planted(folder, recipe, plant))
        exact = diagnose(
            Case(target, recipe, reference, depth=DEPTHS["quick" if quick or plant.dtype != "float32" else "normal"])
        )
        golden = diagnose(Case(target, recipe, shipped, depth=DEPTHS["quick"])) if shipped else None
        figures = diagnose(Case(target, figured, depth=DEPTHS["quick"]))
        alone = diagnose(Case(target, recipe, depth=DEPTHS["quick"]))
        took = f"{time.process_time() - started:6.1f} s"
        row = Row(model, name, wanted, exact, golden, figures, alone)
        print(took, row, file=sys.stderr, flush=True)
        yield row


def matrix(results: Sequence[Row]) -> list[str]:
    """Planted against named first, with right vectors; a dot for none."""
    named = Counter((r.wanted, first(r.exact)) for r in results)
    labels = sorted({label for pair in named for label in pair}, key=lambda s: (s != "healthy", s))
    head = [f"| planted \\ named first | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    return head + [f"| {a} | {' | '.join(str(named[a, b] or '·') for b in labels)} |" for a in labels]


def share(results: Sequence[Row]) -> list[str]:
    """A table: what each way of knowing names right, notices under whatever name, and lets pass rightly."""
    ways = {
        "right vectors": [r.exact for r in results],
        "behaviour and published figures": [r.figures for r in results],
        "behaviour alone": [r.alone for r in results],
    }
    lines = ["| known | named right | faults noticed, under any name | healthy ones passed |", "|---|---|---|---|"]
    for way, found in ways.items():
        pairs = [(first(d), r.wanted) for d, r in zip(found, results, strict=True)]
        faulty = [named != "healthy" for named, wanted in pairs if wanted != "healthy"]
        healthy = [named == "healthy" for named, wanted in pairs if wanted == "healthy"]
        right = sum(named == wanted for named, wanted in pairs)
        cells = (f"{right} of {len(pairs)}", f"{sum(faulty)} of {len(faulty)}", f"{sum(healthy)} of {len(healthy)}")
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return lines


def write(results: Sequence[Row]) -> None:
    """Prints the tables and puts them between the markers of the page."""
    lines = [*share(results), "", *matrix(results), ""]
    lines += [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|", *map(str, results)]
    print("\n".join(lines))
    page = ROOT / "docs" / "doctor.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    behind = rest.partition(END)[2]
    page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + behind, encoding="utf-8")


def main() -> None:
    """Every fault in both models."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        e5 = write_e5_checkpoint(Path(place) / "multilingual-e5-small")
        tiny = Path(place) / "qwen3"
        tiny.mkdir()
        planted.write_qwen3(tiny)
        small = [*rows("Qwen3 shape", tiny, planted.qwen3_recipe(tiny), planted.QWEN3, quick=True)]
        write([*rows("e5-small", e5, planted.e5_recipe(e5), planted.E5, quick=False), *small])


if __name__ == "__main__":
    main()
