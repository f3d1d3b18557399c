"""Writes the table of a stored result, and its verdict in words, between the markers of README.md and README.zh-CN.md.

make weigh && python tools/readme_table.py results/zh-traps.json
"""

import sys
from pathlib import Path

from steelyard.bench.evaluation.judgement import Judgement
from steelyard.bench.evaluation.result import Result, load
from steelyard.report import sentences
from steelyard.report.content import Report, compose
from steelyard.wording.words import Wording, load_wording

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"
HEADS = {
    "README.md": (
        "system",
        "Top-1 %",
        "95 % interval",
        "letters",
        "hit@3",
        "nDCG@10",
        "look-alike first",
        "contrary first",
    ),
    "README.zh-CN.md": ("系统", "Top-1", "95 %", "分组", "hit@3", "nDCG@10", "形似项居首", "相反项居首"),
}


def table(result: Result, judgement: Judgement, heads: tuple[str, ...]) -> str:
    """A Markdown table, systems best first, figures in percent."""
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for name, top in judgement.figures["top1"].items():
        others = [f"{100 * judgement.figures[m][name].estimate:.1f}" for m in ("hit@3", "ndcg@10")]
        fooled = [f"{100 * judgement.winners[name].get(kind, 0):.1f}" for kind in ("lookalike", "contrary")]
        letters = judgement.verdict.letters[name]
        interval = f"{100 * top.low:.1f}-{100 * top.high:.1f}"
        lines.append(
            "| " + " | ".join([f"`{name}`", f"{100 * top.estimate:.1f}", interval, letters, *others, *fooled]) + " |"
        )
    return "\n".join(lines)


def verdict(report: Report, w: Wording) -> str:
    """Who is ahead, and what so many queries can show."""
    return w.paragraph(sentences.headline(report, w), w.of(report.verdict.reach))


def main(path: str) -> None:
    """Rewrites both files."""
    result = load(path)
    report = compose(result, measure="top1")
    for name, heads in HEADS.items():
        file = ROOT / name
        before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
        _, found, after = rest.partition(END)
        if not found:
            sys.exit(f"{file}: no markers {BEGIN} and {END}")
        words = verdict(report, load_wording("zh" if "zh" in name else "en"))
        file.write_text(f"{before}{BEGIN}\n{table(result, report.judgement, heads)}\n\n{words}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
