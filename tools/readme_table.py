"""Writes the figures of README.md and README.zh-CN.md between their markers, from one source for both.

make weigh && python tools/readme_table.py results/zh-traps.json   # the table of a stored result, and its verdict
python tools/readme_table.py                                       # the speeds of tools/readme_figures.toml alone
"""

import sys
import tomllib
from pathlib import Path

from steelyard.bench.evaluation.result import load
from steelyard.report import sentences, tables
from steelyard.report.content import Report, compose
from steelyard.report.table import Table
from steelyard.wording.words import Wording, load_wording

ROOT = Path(__file__).resolve().parent.parent
FILES = {"README.md": "en", "README.zh-CN.md": "zh"}
SHOWN = ("system", "top1", "", "group", "hit@3", "ndcg@10")
FOOLED = ("lookalike", "contrary")
MODELS = {
    "e5-small": ("e5-small", "e5-small"),
    "bge-m3": ("BGE-M3 shape", "BGE-M3 形状"),
    "qwen3-0.6b": ("Qwen3-0.6B shape", "Qwen3-0.6B 形状"),
}
TITLES = {
    "sentence-transformers": (
        "ours (`torch`, which picks int16 here) to sentence-transformers fp32, tokens/s",
        "`torch`（这里自动选用 int16）与 sentence-transformers fp32 之比，token/秒",
    ),
    "onnxruntime": (
        "ours to onnxruntime int8 (cosine 0.994, 0.993, 0.990)",
        "与 onnxruntime int8 之比（余弦 0.994、0.993、0.990）",
    ),
    "served": (
        "served to 1 / 8 / 64 / 256 clients, requests/s to the better of infinity_emb and FastAPI + "
        "sentence-transformers",
        "服务 1 / 8 / 64 / 256 个客户端，与 infinity_emb、FastAPI + sentence-transformers 中较快者之比，请求/秒",
    ),
}


def table(report: Report, w: Wording) -> str:
    """The short form of the main table, with who was fooled by what; systems best first."""
    main, winners = tables.main_table(report, w), tables.winners_table(report, w)
    first = _picked(main, SHOWN)
    second = {row[0]: row[1:] for row in _picked(winners, ("system", *FOOLED))[1:]}
    head = (*first[0], *(w("readme.first", kind=w(f"kind.{kind}")) for kind in FOOLED))
    rows = [(f"`{row[0]}`", *row[1:], *second[row[0]]) for row in first[1:]]
    rule = "|---" + "|---:" * (len(head) - 1) + "|"
    return "\n".join([_row(head), rule, *map(_row, rows)])


def verdict(report: Report, w: Wording) -> str:
    """Which systems rank first, and what so many queries can show."""
    return w.paragraph(sentences.headline(report, w), w.of(report.verdict.reach))


def speeds(language: str) -> str:
    """How many times faster than others, from the file of figures."""
    at = list(FILES.values()).index(language)
    found = tomllib.loads((ROOT / "tools" / "readme_figures.toml").read_text(encoding="utf-8"))
    head = ("", *(MODELS[m][at] for m in found["columns"]))
    rows = [(TITLES[r["key"]][at], *(_times(f, language) for f in r["figures"])) for r in found["rows"]]
    return "\n".join([_row(head), "|---" + "|---:" * (len(head) - 1) + "|", *map(_row, rows)])


def between(text: str, name: str) -> str:
    """What stands between the markers of a name.

    Raises:
        ValueError: there are none.
    """
    _, _, rest = text.partition(f"<!-- {name}:begin -->")
    inside, found, _ = rest.partition(f"<!-- {name}:end -->")
    if not found:
        raise ValueError(f"no markers <!-- {name}:begin --> and <!-- {name}:end -->")
    return inside.strip()


def main(source: str = "") -> None:
    """Rewrites both files."""
    report = compose(load(source), measure="top1") if source else None
    for name, language in FILES.items():
        w, file = load_wording(language), ROOT / name
        text = file.read_text(encoding="utf-8")
        blocks = {"speed": speeds(language)}
        if report:
            blocks["table"] = f"{table(report, w)}\n\n{verdict(report, w)}"
        for block, inside in blocks.items():
            text = text.replace(between(text, block), inside)
        file.write_text(text, "utf-8")


def _picked(made: Table, keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    places = [next(i for i, c in enumerate(made.columns) if c.key == key) for key in keys]
    head = tuple(made.columns[i].title for i in places)
    return [head, *(tuple(row[i] for i in places) for row in made.texts())]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _times(figures: str, language: str) -> str:
    if language == "zh":
        return f"{figures.rstrip('*')} 倍{'*' if figures.endswith('*') else ''}" if figures else ""
    return " / ".join(f"{f.rstrip('*')}x{'*' if f.endswith('*') else ''}" for f in figures.split(" / ") if f)


if __name__ == "__main__":
    main(*sys.argv[1:2])
