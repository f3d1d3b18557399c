"""Retrieval by the cosine of one vector a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from steelyard.engines.protocol import Encoder
from steelyard.engines.vectors import cut
from steelyard.errors import UsageError
from steelyard.retrieval.protocol import Progress, silent
from steelyard.retrieval.quantised import Precision, QuantisedIndex
from steelyard.types import Document, Query, Ranking, Role, Vectors

_TEXTS_A_CALL = 256
_CHARACTERS_A_CALL = 200_000
"""So that the progress of long texts is seen text by text."""


class DenseRetriever:
    """Encodes documents and queries and ranks by cosine, exactly.

    Args:
        encoder: what makes the vectors.
        dimension: keep so many leading dimensions and normalise again; None keeps all. Whether the model was trained
            for it is the recipe's to say (:meth:`steelyard.models.recipe.Recipe.check_dimension`).
        instruction: task text of queries; None for the model's default, "" for none.
        precision: of the vectors that are searched.
        rescore: first hits that are put in the order of their full vectors, where the precision is not float32.
    """

    def __init__(
        self,
        encoder: Encoder,
        dimension: int | None = None,
        instruction: str | None = None,
        precision: Precision = "float32",
        rescore: int = 0,
    ) -> None:
        self.encoder = encoder
        self.dimension = dimension
        self._instruction = instruction
        self.precision: Precision = precision
        self.rescore = rescore if precision != "float32" else 0
        self._index: QuantisedIndex | None = None

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Encodes the documents; a second call replaces the first."""
        vectors = self.vectors([d.text for d in documents], Role.DOCUMENT, progress)
        self._index = QuantisedIndex([d.id for d in documents], vectors, self.precision, self.rescore)

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``.

        Raises:
            UsageError: nothing was indexed.
        """
        if self._index is None:
            raise UsageError("index documents before searching them")
        vectors = self.vectors([q.text for q in queries], Role.QUERY, progress)
        return self._index.search([q.id for q in queries], vectors, k)

    def vectors(self, texts: Sequence[str], role: Role, progress: Progress = silent) -> Vectors:
        """float32[n, d], unit rows; written straight into one array, so that they are never held twice."""
        stage = "search" if role is Role.QUERY else "index"
        instruction = self._instruction if role is Role.QUERY else None
        rows = np.zeros((0, 0), dtype=np.float32)
        for start, stop in calls([len(t) for t in texts]):
            part = self._cut(self.encoder.encode(texts[start:stop], role, instruction))
            if start == 0:
                rows = np.empty((len(texts), part.shape[1]), dtype=np.float32)
            rows[start : start + len(part)] = part
            progress(stage, start + len(part), len(texts))
        return rows

    def _cut(self, rows: Vectors) -> Vectors:
        if self.dimension is not None and not 1 <= self.dimension <= rows.shape[1]:
            model = self.encoder.info.model
            raise UsageError(f"{model} gives {rows.shape[1]} dimensions; {self.dimension} cannot be cut from them")
        return cut(rows, self.dimension)


def calls(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(start, stop) of texts that are encoded together: few enough, and not too many characters, one text at least."""
    start, characters = 0, 0
    for i, length in enumerate(lengths):
        if i > start and (i - start == _TEXTS_A_CALL or characters + length > _CHARACTERS_A_CALL):
            yield start, i
            start, characters = i, 0
        characters += length
    if start < len(lengths):
        yield start, len(lengths)
