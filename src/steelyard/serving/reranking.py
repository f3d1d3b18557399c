"""What all spellings of reranking do between reading a request and writing its answer."""

from __future__ import annotations

from fastapi import Request

from steelyard.engines.render import check_instruction
from steelyard.errors import RecipeError
from steelyard.serving.failures import HttpFailure, ItemFailure, failure_of
from steelyard.serving.http import caller_of, check_lengths, unless_gone
from steelyard.serving.service import Service
from steelyard.serving.wire.rerank import Judged, RerankTask, in_order
from steelyard.types import Role


async def judge(task: RerankTask, request: Request, service: Service) -> tuple[list[Judged], str, int]:
    """(documents from the best down, model, tokens).

    Raises:
        HttpFailure: as for embeddings.
    """
    model = service.reranker(task.model)
    limits = service.limits
    if len(task.documents) > limits.max_texts:
        message = f"{len(task.documents):,} documents; this server takes {limits.max_texts:,}"
        raise HttpFailure(400, message, "documents", "too_many")
    check_lengths([task.query], limits, "query")
    check_lengths(task.documents, limits, "documents")
    if model.recipe is not None:
        try:
            check_instruction(model.recipe, Role.QUERY, task.instruction)
        except RecipeError as wrong:
            raise HttpFailure(400, str(wrong), "instruction", "no_instruction") from None
    work = model.score(task.query, task.documents, task.instruction, caller_of(request, service))
    try:
        done = await unless_gone(request, work, service)
    except ItemFailure as failed:
        raise failure_of(failed.cause, f"document {failed.index}") from None
    service.metrics.read(model.card.id, len(task.documents), done.tokens)
    return in_order(done.scores, task), model.card.id, done.tokens
