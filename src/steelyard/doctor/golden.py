"""Golden files: right vectors, and those of known wrong ways, for the texts that every later examination asks about."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from steelyard.doctor.hypotheses import hypotheses, simulations
from steelyard.doctor.local import RIGHT, End, Way
from steelyard.doctor.ruler import Ruler
from steelyard.doctor.simulated import SIMULATED
from steelyard.doctor.small_suite import Hits, small_suite
from steelyard.errors import DataError, UsageError
from steelyard.files import write_atomic
from steelyard.models.recipe import Pooling, Recipe
from steelyard.types import Vectors

SCHEMA = 3
_READ = (2, 3)
"""Files of schema 2 know no simulated ways and no model of rounding."""
SHIPPED = Path(__file__).parent / "shipped"
"""Golden files of models whose weights come in packages, by the recipe's name."""
Rows = Mapping[str, Vectors]
"""text as the model reads it -> float32[d]"""


@dataclass(frozen=True)
class Golden:
    """A :class:`~steelyard.doctor.local.Reference` of recorded vectors.

    Attributes:
        name: where it was read.
        recipe: name of the recipe that it was recorded under.
        rows: for each way the vectors that are known; of a target that was only asked, the right way alone.
        right: the right texts, which alone are written in full precision.
        scale: the recorded ruler.
        hits: bool[q] on the small suite; None where they were not recorded, or of another version of the suite.
        within: see :class:`~steelyard.doctor.local.Reference`.
    """

    name: str
    recipe: str
    rows: Mapping[Way, Rows]
    right: frozenset[str] = frozenset()
    scale: Ruler = field(default_factory=Ruler)
    hits: Hits | None = None
    within: float = 0.0

    def vectors(self, texts: Sequence[str], way: Way = RIGHT) -> Vectors | None:
        """See :class:`~steelyard.doctor.local.Reference`."""
        rows = self.rows.get(way, {})
        if not texts or not all(t in rows for t in texts):
            return None
        return np.stack([rows[t] for t in texts])

    def ruler(self) -> Ruler:
        """See :class:`~steelyard.doctor.local.Reference`."""
        return self.scale

    def right_hits(self) -> Hits | None:
        """See :class:`~steelyard.doctor.local.Reference`."""
        return self.hits

    def write(self, path: Path) -> None:
        """Writes one JSON document, whole or not at all; wrong vectors in 16 bits, which is plenty to tell them by.

        Raises:
            UsageError: it cannot be written there.
        """
        hits = None if self.hits is None else "".join("1" if hit else "0" for hit in self.hits)
        content = {
            "schema": SCHEMA,
            "recipe": self.recipe,
            "within": self.within,
            "ruler": {"constant": self.scale.constant, "measured": self.scale.measured},
            "suite": {"checksum": small_suite().checksum, "hits": hits},
            "rows": list(self._groups()),
        }
        try:
            write_atomic(path, json.dumps(content, ensure_ascii=False, indent=0) + "\n")
        except OSError as wrong:
            raise UsageError(
                f"{path}: cannot be written ({wrong.strerror}); name a file in a folder that exists"
            ) from None

    def _groups(self) -> Iterator[dict[str, Any]]:
        for way, rows in self.rows.items():
            exact = {t: v for t, v in rows.items() if way == RIGHT and t in self.right}
            rough = {t: v for t, v in rows.items() if t not in exact}
            for numbers, part in (("<f4", exact), ("<f2", rough)):
                packed = {t: base64.b64encode(v.astype(numbers).tobytes()).decode() for t, v in part.items()}
                if packed:
                    yield {
                        "pooling": way.pooling,
                        "end": way.end,
                        "simulated": way.simulated,
                        "numbers": numbers,
                        "vectors": packed,
                    }


def wanted_texts(recipe: Recipe) -> tuple[tuple[str, ...], dict[Way, tuple[str, ...]]]:
    """What a golden file of a recipe should know: the right texts, and for every way the texts to run that way."""
    (right, *_) = both = (*hypotheses(recipe, "client"), *hypotheses(recipe, "server"))
    texts: dict[Way, dict[str, None]] = {}
    for one in (*both, *simulations(recipe, "client")):
        texts.setdefault(one.way, {}).update(dict.fromkeys(one.texts))
    return (*right.queries, *right.documents), {way: tuple(some) for way, some in texts.items()}


def read_golden(path: Path) -> Golden:
    """A golden file.

    Raises:
        DataError: not there, or not such a file.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] not in _READ:
            raise ValueError(f"schema {content['schema']}, this version reads {_READ}")
        rows: dict[Way, dict[str, Vectors]] = {}
        for group in content["rows"]:
            rows.setdefault(_way(group), {}).update(_vectors(group))
        if len({len(v) for some in rows.values() for v in some.values()}) != 1:
            raise ValueError("no vectors, or vectors of different sizes")
        ruler = Ruler(float(content["ruler"]["constant"]), bool(content["ruler"]["measured"]))
        known = _hits(content["suite"])
        within = float(content["within"])
        exact = frozenset(t for group in content["rows"] if group["numbers"] == "<f4" for t in group["vectors"])
        return Golden(str(path), str(content["recipe"]), rows, exact, ruler, known, within)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
        mend = "record one from a target that you trust: steelyard doctor TARGET --record FILE"
        raise DataError(f"{path}: not a golden file ({wrong}); {mend}") from None


def shipped_golden(recipe: str) -> Golden | None:
    """The golden file that comes with this package; None for a recipe that has none."""
    path = SHIPPED / f"{recipe}.json"
    if not path.is_file():
        return None
    return replace(read_golden(path), name=f"the golden file of {recipe} that comes with steelyard")


def _way(group: Any) -> Way:
    if group["pooling"] not in (None, *get_args(Pooling)) or group["end"] not in get_args(End):
        raise ValueError(f"a way of running that is not known: {group['pooling']}, {group['end']}")
    simulated = str(group.get("simulated", ""))
    if simulated and simulated not in SIMULATED:
        raise ValueError(f"a way of running that is not known: {simulated}")
    return Way(group["pooling"], group["end"], simulated)


def _vectors(group: Any) -> dict[str, Vectors]:
    if group["numbers"] not in ("<f4", "<f2"):
        raise ValueError(f"numbers {group['numbers']!r}, known are <f4 and <f2")
    raw = {str(t): base64.b64decode(v, validate=True) for t, v in group["vectors"].items()}
    return {t: np.frombuffer(v, dtype=group["numbers"]).astype(np.float32) for t, v in raw.items()}


def _hits(suite: Any) -> Hits | None:
    if suite["hits"] is None or suite["checksum"] != small_suite().checksum:
        return None
    found: Hits = np.array([c == "1" for c in suite["hits"]], dtype=np.bool_)
    if len(found) != len(small_suite().queries):
        raise ValueError(f"{len(found)} hits for {len(small_suite().queries)} queries")
    return found
