"""Says whether two result files hold the same, but for versions, times and wording: what a refactoring must keep.

python tools/same_result.py BEFORE.json AFTER.json

Compared byte by byte: everything but when and where it was made, what the clock and the cache said, and sentences for
readers (findings, notes, errors, reasons and warnings of backends). Fields that the first file does not have are new.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

LEFT_OUT = {"created", "environment", "timing", "cache", "findings", "notes", "note", "reason", "warning", "costs"}


def compared(value: Any) -> Any:
    """What must be the same of a part of a result."""
    if isinstance(value, dict):
        return {k: compared(v) for k, v in value.items() if k not in LEFT_OUT}
    return [compared(v) for v in value] if isinstance(value, list) else value


def shared(before: Any, after: Any) -> Any:
    """``after`` without the keys that ``before`` does not have."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {k: shared(before[k], v) for k, v in after.items() if k in before}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [shared(b, a) for b, a in zip(before, after, strict=True)]
    return after


def differences(before: bytes, after: bytes) -> list[str]:
    """Where two result documents differ, as paths; empty where they are the same."""
    old = compared(orjson.loads(before))
    new = shared(old, compared(orjson.loads(after)))
    if orjson.dumps(old, option=orjson.OPT_SORT_KEYS) == orjson.dumps(new, option=orjson.OPT_SORT_KEYS):
        return []
    return list(_places("", old, new))


def _places(path: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [p for k in old.keys() | new.keys() for p in _places(f"{path}.{k}", old.get(k), new.get(k))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [p for i, (a, b) in enumerate(zip(old, new, strict=True)) for p in _places(f"{path}[{i}]", a, b)]
    return [] if old == new else [f"{path.lstrip('.')}: {old!r:.60} -> {new!r:.60}"]


if __name__ == "__main__":
    found = differences(*(Path(p).read_bytes() for p in sys.argv[1:3]))
    sys.stdout.write("\n".join(found[:20]) + f"\n{len(found)} differences\n" if found else "the same\n")
    sys.exit(1 if found else 0)
