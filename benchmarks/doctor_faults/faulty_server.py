"""An OpenAI-compatible server around :class:`faulty_model.PlainModel`, with one fault at a time switched on."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import Response
from faulty_model import PlainModel, Rows

TextChange = Callable[[str], str]


@dataclass(frozen=True)
class Fault:
    """How the server differs from a good one; the defaults do not differ.

    Attributes:
        family: as the doctor's page groups them.
        wanted: names of the doctor that are right.
        text: change before the tokenizer.
        ids: change of the rows of ids, which also cuts them.
        trunk: see :func:`faulty_model.changed`.
        pooling: another than the right one.
        rows: change of the normalised vectors, given their texts.
        answer: change of a request's vectors, given the state of the server.
        body: change of the JSON.
    """

    family: str
    wanted: tuple[str, ...]
    text: TextChange | None = None
    ids: Callable[[list[int]], list[int]] | None = None
    trunk: str = ""
    pooling: str = ""
    rows: Callable[[Rows, Sequence[str]], Rows] | None = None
    answer: Callable[[State, list[str], Callable[[list[str]], Rows]], Rows] | None = None
    body: Callable[[dict[str, Any]], Any] | None = None


class State:
    """What a server remembers between requests."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.count = itertools.count()
        self.cache: dict[str, Rows] = {}
        self.last: Rows | None = None
        self.busy = 0
        self.lock = threading.Lock()


class FaultyServer:
    """The application; ``fault`` may be exchanged while it runs."""

    def __init__(self, model: PlainModel) -> None:
        self._model = model
        self.requests = self.texts = 0
        self.switch(Fault("healthy", ()))
        self.app = FastAPI()
        self.app.get("/v1/models")(self._models)
        self.app.post("/v1/embeddings")(self._route)

    def switch(self, fault: Fault) -> None:
        """Another fault, and a fresh state."""
        self.fault, self._state = fault, State()
        self.requests = self.texts = 0

    def _models(self) -> Any:
        return {"object": "list", "data": [{"id": "model", "object": "model"}]}

    async def _route(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        return await run_in_threadpool(self._embeddings, await request.json())

    def _embeddings(self, body: dict[str, Any]) -> Response:
        state = self._state
        given = body["input"]
        texts = list(given) if isinstance(given, list) else [given]
        with state.lock:
            state.busy += 1
            self.requests += 1
            self.texts += len(texts)
        try:
            vectors, tokens = self._vectors(texts)
        finally:
            with state.lock:
                state.busy -= 1
        data = [{"index": i, "object": "embedding", "embedding": v.tolist()} for i, v in enumerate(vectors)]
        found = {"object": "list", "model": "model", "data": data, "usage": {"prompt_tokens": tokens}}
        change = self.fault.body
        return Response(json.dumps(change(found) if change else found), media_type="application/json")

    def _vectors(self, texts: list[str]) -> tuple[Rows, int]:
        fault = self.fault
        tokens = sum(len(self._model.ids(t)) for t in texts)
        if fault.answer is not None:
            return fault.answer(self._state, texts, self._plain), tokens
        return self._plain(texts), tokens

    def _plain(self, texts: list[str]) -> Rows:
        fault, model = self.fault, self._model
        read = [fault.text(t) for t in texts] if fault.text else texts
        rows = [model.ids(t) for t in read]
        rows = [fault.ids(r) for r in rows] if fault.ids else rows
        rows = [r if len(r) <= model.limit else [*r[: model.limit - 1], r[-1]] for r in rows]
        found = model.vectors(rows, fault.trunk, fault.pooling)
        found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return fault.rows(found, texts) if fault.rows else found
