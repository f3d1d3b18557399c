"""``POST /v1/embeddings``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response

from steelyard.engines.render import check_instruction
from steelyard.engines.vectors import cut
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.serving.failures import HttpFailure, ItemFailure, failure_of
from steelyard.serving.http import FAILURES, JsonRoute, caller_of, check_lengths, unless_gone
from steelyard.serving.service import Caller, Embedded, EmbeddingModel, EmbedTask, Service
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.templates import read_template
from steelyard.serving.together import together
from steelyard.serving.wire.embeddings import EmbeddingAnswer, EmbeddingRequest, Heads, embedding_bytes
from steelyard.types import Role

T = TypeVar("T")
Part = tuple[list[int], EmbedTask]
"""Positions in the request, and the texts that stand there."""
_HEADERS = {
    "X-Steelyard-Input-Type": "the side whose template was put on, and whether the request had said it",
    "X-Steelyard-Truncated": "which texts were cut, by their places; only where some were",
}
_RESPONSES: dict[int | str, dict[str, Any]] = FAILURES | {
    200: {"headers": {name: {"description": what, "schema": {"type": "string"}} for name, what in _HEADERS.items()}}
}


def router(service: Service) -> APIRouter:
    """``POST /v1/embeddings``, answered as OpenAI answers."""
    api = APIRouter(route_class=JsonRoute, tags=["embeddings"])

    @api.post("/v1/embeddings", response_model=EmbeddingAnswer, responses=_RESPONSES, summary="Embed texts")
    async def embeddings(body: EmbeddingRequest, request: Request) -> Response:
        """OpenAI's endpoint; `input_type` and `instruction` let the server put the model's own template on."""
        model, named_role = service.embedder(body.model)
        texts = read_texts(body, model, service.limits)
        _check_heads(body, model)
        parts = plan_parts(body, texts, model.recipe, named_role, service.behaviour)
        dimensions = _dimensions(body, model.recipe)
        work = _embed(model, parts, len(texts), caller_of(request, service))
        done = await unless_gone(request, work, service)
        service.metrics.read(model.card.id, len(texts), done.tokens, len(done.cut))
        shorter = dimensions and dimensions < done.vectors.shape[1]
        vectors = cut(done.vectors, dimensions) if shorter else done.vectors
        content = embedding_bytes(vectors, done.heads, body.model, done.tokens, base64=body.encoding_format == "base64")
        return Response(content, media_type="application/json", headers=_headers(parts, done, body, named_role))

    return api


def read_texts(body: EmbeddingRequest, model: EmbeddingModel, limits: Limits) -> list[str]:
    """The texts of a request, token arrays decoded.

    Raises:
        HttpFailure: too many, one too long, or token arrays that the model cannot read.
    """
    if len(body.input) > limits.max_texts:
        raise HttpFailure(
            400, f"{len(body.input):,} inputs; this server takes {limits.max_texts:,}", "input", "too_many"
        )
    texts = [t if isinstance(t, str) else model.decode([int(token) for token in t]) for t in body.input]
    check_lengths(texts, limits, "input")
    return texts


def plan_parts(
    body: EmbeddingRequest, texts: Sequence[str], recipe: Recipe | None, named: Role | None, behaviour: Behaviour
) -> list[Part]:
    """The texts by the side they stand on: as asked, as their own template says, or as the server's default.

    Raises:
        HttpFailure: the request contradicts itself or the model.
    """
    role = _asked_role(body, named)
    truncate = behaviour.truncate if body.truncate is None else body.truncate
    groups: dict[tuple[Role, str | None], tuple[list[int], list[str]]] = defaultdict(lambda: ([], []))
    for i, text in enumerate(texts):
        found = read_template(recipe, text) if recipe is not None and role is None else None
        side, instruction, bare = found or (role or behaviour.default_role, body.instruction, text)
        positions, bares = groups[side, instruction]
        positions.append(i)
        bares.append(bare)
    heads = frozenset(body.heads or ()) - {"dense"}
    return [
        (positions, EmbedTask(bares, side, _instruction(recipe, side, instruction), truncate, body.dimensions, heads))
        for (side, instruction), (positions, bares) in groups.items()
    ]


def _asked_role(body: EmbeddingRequest, named: Role | None) -> Role | None:
    if named is not None and body.role not in (None, named):
        raise HttpFailure(
            400, f"the model's name says {named}, input_type says {body.role}", "input_type", "contradiction"
        )
    role = named or body.role
    if body.instruction:
        if role is Role.DOCUMENT:
            raise HttpFailure(400, "documents take no instruction; leave it out", "instruction", "contradiction")
        return Role.QUERY
    return role


def _instruction(recipe: Recipe | None, role: Role, instruction: str | None) -> str | None:
    if recipe is None:
        return instruction
    try:
        check_instruction(recipe, role, instruction)
    except RecipeError as wrong:
        raise HttpFailure(400, str(wrong), "instruction", "no_instruction") from None
    return instruction if "{instruction}" in recipe.query_template and role is Role.QUERY else None


def _check_heads(body: EmbeddingRequest, model: EmbeddingModel) -> None:
    missing = sorted(set(body.heads or ()) - set(model.card.heads))
    if missing:
        there = ", ".join(model.card.heads)
        message = f"{model.card.id} as it runs here has no {' and no '.join(missing)} head; it has {there}"
        raise HttpFailure(400, message, "heads", "no_head")


def _dimensions(body: EmbeddingRequest, recipe: Recipe | None) -> int | None:
    if body.dimensions is None or recipe is None:
        return None
    try:
        return recipe.check_dimension(body.dimensions)
    except RecipeError as wrong:
        raise HttpFailure(400, str(wrong), "dimensions", "dimensions_refused") from None


async def _embed(model: EmbeddingModel, parts: list[Part], count: int, caller: Caller) -> Embedded:
    done = await together(_embed_part(model, part, caller) for part in parts)
    if len(parts) == 1:
        return done[0]
    return _merged([positions for positions, _ in parts], done, count)


def _merged(places: Sequence[list[int]], done: Sequence[Embedded], count: int) -> Embedded:
    """Several answers as one, each text where it stood in the request."""
    vectors = np.empty((count, done[0].vectors.shape[1]), dtype=np.float32)
    for positions, part in zip(places, done, strict=True):
        vectors[positions] = part.vectors
    cut = sorted(positions[i] for positions, part in zip(places, done, strict=True) for i in part.cut)
    heads = Heads(
        _placed(places, [part.heads.sparse for part in done]), _placed(places, [part.heads.colbert for part in done])
    )
    elsewhere = any(part.cuts_elsewhere for part in done)
    return Embedded(vectors, sum(part.tokens for part in done), tuple(cut), heads, elsewhere)


def _placed(places: Sequence[list[int]], parts: Sequence[Sequence[T] | None]) -> list[T] | None:
    found: dict[int, T] = {}
    for positions, part in zip(places, parts, strict=True):
        found |= zip(positions, part or (), strict=part is not None)
    return [found[i] for i in sorted(found)] if found else None


async def _embed_part(model: EmbeddingModel, part: Part, caller: Caller) -> Embedded:
    positions, task = part
    try:
        return await model.embed(task, caller)
    except ItemFailure as failed:
        raise failure_of(failed.cause, f"input {positions[failed.index]}") from None


def _headers(parts: list[Part], done: Embedded, body: EmbeddingRequest, named: Role | None) -> dict[str, str]:
    sides = sorted({task.role.value for _, task in parts})
    guessed = "" if named or body.role or body.instruction else "; not said by the request"
    headers = {"X-Steelyard-Input-Type": f"{','.join(sides)}{guessed}"}
    if done.cut:
        shown = ",".join(map(str, done.cut[:50])) + (",..." if len(done.cut) > 50 else "")
        headers["X-Steelyard-Truncated"] = shown
    elif done.cuts_elsewhere and any(task.truncate for _, task in parts):
        headers["X-Steelyard-Truncated"] = "left to the upstream"
    return headers
