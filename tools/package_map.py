"""Draws docs/pictures/packages.svg: the packages in their layers, their size, and what each imports directly.

python tools/package_map.py [FILE]

Layers come from the import contract in pyproject.toml, imports and sizes from the code, so the picture cannot lie.
"""

import ast
import re
import sys
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "src" / "steelyard"
TARGET = ROOT / "docs" / "pictures" / "packages.svg"
WIDE, BOX, GAP = 1080, 74, 10
BELOW = {"types", "errors", "files", "text", "wording"}
"""Imported nearly everywhere, so they are not listed."""


def layers() -> list[list[str]]:
    """Names of every layer, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    rows = next(c["layers"] for c in contracts if c["name"].startswith("Layers"))
    found = [[name for name in re.findall(r"\w+", row) if exists(name)] for row in rows]
    return [row for row in found if row and row != ["__main__"]]


def exists(name: str) -> bool:
    """Whether it is a package or a module of ours."""
    return (CODE / name).is_dir() or (CODE / f"{name}.py").is_file()


def files(name: str) -> list[Path]:
    """The sources of a package or module."""
    return sorted((CODE / name).rglob("*.py")) if (CODE / name).is_dir() else [CODE / f"{name}.py"]


def uses(name: str) -> list[str]:
    """The packages that it imports directly, the most often imported first."""
    counts: dict[str, int] = {}
    for path in files(name):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            other = module.split(".")[1] if module and module.startswith("steelyard.") else ""
            if other and other not in BELOW | {name}:
                counts[other] = counts.get(other, 0) + 1
    return sorted(counts, key=lambda other: (-counts[other], other))


def box(name: str, x: float, y: float, width: float) -> str:
    """One package."""
    lines = sum(path.read_text("utf-8").count("\n") for path in files(name))
    used, rows = uses(name), [""]
    for other in used:
        if len(rows[-1]) + len(other) > width / 6.4:
            rows.append("")
        rows[-1] += ("" if not rows[-1] else ", ") + other
    lowered = [(y + 34 + 14 * i, row) for i, row in enumerate(rows[:3])]
    texts = "".join(f'<text x="{x + 8}" y="{at}" class="s">{escape(row)}</text>' for at, row in lowered)
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{BOX}" rx="6"/>'
        f'<text x="{x + 8}" y="{y + 18}" class="n">{escape(name)} <tspan class="s">{lines:,}</tspan></text>{texts}'
    )


def draw() -> str:
    """The picture."""
    rows = layers()
    parts = []
    for i, row in enumerate(rows):
        width = (WIDE - GAP * (len(row) + 1)) / len(row)
        for j, name in enumerate(row):
            parts.append(box(name, GAP + j * (width + GAP), GAP + i * (BOX + GAP), round(width, 1)))
    tall = GAP + len(rows) * (BOX + GAP)
    style = (
        "rect{fill:#eef4fa;stroke:#0072B2}text{font-family:system-ui,sans-serif;fill:#222}"
        ".n{font-size:14px;font-weight:600}.s{font-size:11px;font-weight:400;fill:#555}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {tall}" role="img"><title>Packages of '
    return f"{head}steelyard</title><style>{style}</style>{''.join(parts)}</svg>\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.write_text(draw(), "utf-8")
    sys.stdout.write(f"{target}\n")
