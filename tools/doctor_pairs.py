"""Writes src/steelyard/doctor/shipped/pairs.json: which tokenizers tell which pairs of texts apart.

Run: python tools/doctor_pairs.py. Needs the packages of the development extra, whose tokenizers these are.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "engines")]

import tokenizers_for_tests as kinds  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

from steelyard.doctor.golden import SHIPPED  # noqa: E402
from steelyard.doctor.pairs import TEXT_PAIRS  # noqa: E402

MADE = {"qwen3": kinds.qwen3, "xlm-r": kinds.xlmr, "bert-uncased": kinds.bert}


def main() -> None:
    """One list for each tokenizer, in the order of the pairs."""
    table = {}
    for name, make in MADE.items():
        tokenizer = Tokenizer.from_str(make())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        table[name] = [tokenizer.encode(p.one).ids != tokenizer.encode(p.other).ids for p in TEXT_PAIRS]
    (SHIPPED / "pairs.json").write_text(json.dumps(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
