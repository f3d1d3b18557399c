"""How servers are asked to rerank, and what they answer.

::

    server              path                       documents are in  answer
    vLLM, Jina, Cohere  /v1/rerank                 documents         results[]: index, relevance_score
    SGLang              /v1/rerank                 documents         a bare list: index, score
    Voyage              /v1/rerank                 documents         data[]: index, relevance_score
    TEI                 /rerank                    texts             a bare list: index, score
    DashScope, flat     /compatible-api/v1/reranks documents         results[]: index, relevance_score
    DashScope           /api/v1/services/rerank/text-rerank/text-rerank
                                                   input.documents   output.results[]: index, relevance_score

To add a spelling, add it to :data:`SPELLINGS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from steelyard.types import Scores
from steelyard.wire.answer import AnswerError, excerpt, numbered


@dataclass(frozen=True, slots=True)
class RerankSpelling:
    """One way of asking.

    Attributes:
        path: under the URL where the API begins; one that begins with ``//`` stands beside its ``/v1``.
        field: what the documents are called.
        nested: query and documents are inside ``input``.
    """

    path: str
    field: Literal["documents", "texts"] = "documents"
    nested: bool = False

    def request(
        self, model: str, query: str, documents: Sequence[str], instruction: str | None = None
    ) -> dict[str, Any]:
        """The body; ``instruction`` is sent under both names that servers know."""
        what: dict[str, Any] = {"query": query, self.field: list(documents)}
        task = {} if instruction is None else {"instruct": instruction}
        if self.nested:
            return {"model": model, "input": what, "parameters": {"return_documents": False, **task}}
        return {"model": model, **what, **task, **({} if instruction is None else {"instruction": instruction})}


SPELLINGS = (
    RerankSpelling("/rerank"),
    RerankSpelling("/rerank", "texts"),
    RerankSpelling("//rerank"),
    RerankSpelling("//rerank", "texts"),
    RerankSpelling("/reranks"),
    RerankSpelling("/services/rerank/text-rerank/text-rerank", nested=True),
)
"""In the order in which an unknown server is asked; see :func:`other_spellings`."""
NOT_THERE = frozenset({404, 405})
"""Statuses that say that nothing is at a path."""
TAILS = ("/rerank", "/reranks", "/services/rerank/text-rerank/text-rerank")
"""What may stand at the end of a URL that names the reranker itself instead of where the API begins."""


def other_spellings(tried: RerankSpelling, status: int | None, said: str) -> tuple[RerankSpelling, ...]:
    """What to try after a refusal, in this order; empty where the refusal is about the request and is believed.

    Args:
        tried: the spelling that was refused.
        status: of the refusal.
        said: the server's words.
    """
    rest = SPELLINGS[SPELLINGS.index(tried) + 1 :]
    if status in NOT_THERE:
        return tuple(s for s in rest if s.path != tried.path)
    if status in (400, 422) and tried.field == "documents" and "texts" in said:
        return tuple(s for s in rest if s.path == tried.path)
    return ()


def path_under(base: str, path: str) -> str:
    """``path`` of a spelling under the path where the API begins, which has no slash at its end."""
    return base.removesuffix("/v1") + path[1:] if path.startswith("//") else base + path


def read_scores(answer: Any, count: int) -> Scores:
    """float32[count] in the order of the documents, of any answer in the table above.

    Raises:
        AnswerError: not one finite score for each document.
    """
    items = answer
    if isinstance(answer, dict):
        inner = answer.get("output")
        items = inner.get("results") if isinstance(inner, dict) else answer.get("results", answer.get("data"))
    ordered, _ = numbered(items, count, answer)
    values = [item.get("relevance_score", item.get("score")) for item in ordered]
    for i, value in enumerate(values):
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 3e38:
            raise AnswerError(f"gave {excerpt(value)} as the score", index=i)
    return np.array(values, dtype=np.float32)
