"""Size budgets: no file over 400 lines, no function over 60, no more than seven parameters (ruff holds the last)."""

import ast
import sys
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 60


def findings(root: Path) -> list[str]:
    """One line for everything over its budget."""
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) > FILE_LINES:
            found.append(f"{path}: {lines} lines, the budget is {FILE_LINES}: split it by what changes together")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    found.append(
                        f"{path}:{node.lineno}: {node.name} has {length} lines, the budget is {FUNCTION_LINES}"
                    )
    return found


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent / "src"
    over = findings(root)
    sys.stdout.write("\n".join(over) + "\n" if over else "budgets kept\n")
    sys.exit(1 if over else 0)
