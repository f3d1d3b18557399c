"""Golden files: the vectors of a trusted target, for the texts that every later examination asks about."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.doctor.hypotheses import hypotheses
from steelyard.doctor.local import RIGHT, Way
from steelyard.doctor.target import RefusedError, Target
from steelyard.errors import DataError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

SCHEMA = 1


class Golden:
    """A :class:`~steelyard.doctor.local.Reference` of recorded vectors; knows wrong texts, but no wrong ways.

    Args:
        name: where it was read.
        recipe: name of the recipe that it was recorded under.
        rows: text as the model read it -> float32[d].
    """

    def __init__(self, name: str, recipe: str, rows: dict[str, Vectors]) -> None:
        self.name, self.recipe, self._rows = name, recipe, rows

    def vectors(self, texts: Sequence[str], way: Way = RIGHT) -> Vectors | None:
        """See :class:`~steelyard.doctor.local.Reference`."""
        if way != RIGHT or not all(t in self._rows for t in texts):
            return None
        return np.stack([self._rows[t] for t in texts])

    def write(self, path: Path) -> None:
        """Writes one JSON document, whole or not at all.

        Raises:
            UsageError: it cannot be written there.
        """
        rows = {t: base64.b64encode(v.astype("<f4").tobytes()).decode() for t, v in self._rows.items()}
        content = json.dumps({"schema": SCHEMA, "recipe": self.recipe, "vectors": rows}, ensure_ascii=False, indent=1)
        partial = path.with_name(path.name + ".part")
        try:
            partial.write_text(content + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as wrong:
            raise UsageError(
                f"{path}: cannot be written ({wrong.strerror}); name a file in a folder that exists"
            ) from None


def record(target: Target, recipe: Recipe) -> Golden:
    """Asks a trusted target for the vectors of every text that a known fault of templates would make of the probes.

    Args:
        target: one that embeds texts as they are sent; one that puts templates on itself records the right texts alone.
        recipe: what it is trusted to be.

    Raises:
        EndpointError: it cannot be asked.
    """
    rows: dict[str, Vectors] = {}
    if target.templates == "server":
        (right, *_) = hypotheses(recipe, "server")
        for role, texts in ((Role.QUERY, right.queries), (Role.DOCUMENT, right.documents)):
            from steelyard.doctor.probes import DOCUMENTS, QUERIES

            bare = QUERIES if role is Role.QUERY else DOCUMENTS
            rows |= dict(zip(texts, target.embed(bare, role).vectors, strict=True))
        return Golden(target.name, recipe.name, rows)
    wanted: dict[str, None] = {}
    for one in (*hypotheses(recipe, "client"), *hypotheses(recipe, "server")):
        if one.way == RIGHT:
            wanted |= dict.fromkeys((*one.queries, *one.documents))
    texts = tuple(wanted)
    for start in range(0, len(texts), 16):
        part = texts[start : start + 16]
        try:
            rows |= dict(zip(part, target.embed(part, Role.DOCUMENT).vectors, strict=True))
        except RefusedError:
            for text in part:
                rows[text] = target.embed([text], Role.DOCUMENT).vectors[0]
    return Golden(target.name, recipe.name, rows)


def read_golden(path: Path) -> Golden:
    """A golden file.

    Raises:
        DataError: not there, or not such a file.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']}, this version reads {SCHEMA}")
        rows = {
            str(t): np.frombuffer(base64.b64decode(v, validate=True), dtype="<f4").astype(np.float32)
            for t, v in content["vectors"].items()
        }
        if len({len(v) for v in rows.values()}) != 1:
            raise ValueError("no vectors, or vectors of different sizes")
        return Golden(str(path), str(content["recipe"]), rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
        mend = "record one from a target that you trust: steelyard doctor TARGET --record FILE"
        raise DataError(f"{path}: not a golden file ({wrong}); {mend}") from None
