"""Bytes that a million documents take, computed and not measured.

One vector a document: ``float32`` 4 bytes a dimension, ``int8`` one byte (its scales are one table for all documents,
4 bytes a dimension), ``binary`` one bit, rounded up to whole bytes. Where hits are rescored, the full vectors are kept
beside the small ones, on disk if not in memory; they are counted apart. Document ids and an index's own links are not
counted: they depend on the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

Precision = Literal["float32", "int8", "binary"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "binary")
MILLION = 1_000_000


class Storage(BaseModel):
    """One way to keep vectors.

    Attributes:
        dimension: kept of each vector.
        precision: of what is searched.
        bytes_per_million: searched, for a million documents.
        rescore_bytes_per_million: kept besides where hits are rescored with full vectors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimension: int
    precision: Precision
    bytes_per_million: int
    rescore_bytes_per_million: int = 0


def storage(dimension: int, precision: Precision, *, rescored: bool = False) -> Storage:
    """What a million documents take.

    Args:
        dimension: at least 1.
        precision: of the vectors that are searched.
        rescored: the float32 vectors are kept as well.
    """
    searched = bytes_of(dimension, precision, MILLION)
    full = bytes_of(dimension, "float32", MILLION) if rescored and precision != "float32" else 0
    return Storage(dimension=dimension, precision=precision, bytes_per_million=searched, rescore_bytes_per_million=full)


def bytes_of(dimension: int, precision: Precision, documents: int) -> int:
    """Bytes of ``documents`` vectors, tables that belong to all of them included."""
    if precision == "float32":
        return documents * dimension * 4
    if precision == "int8":
        return documents * dimension + dimension * 4
    return documents * -(-dimension // 8)


def grid(dimensions: Sequence[int], precisions: Sequence[Precision] = PRECISIONS) -> tuple[Storage, ...]:
    """Every dimension at every precision."""
    return tuple(storage(d, p) for d in dimensions for p in precisions)
