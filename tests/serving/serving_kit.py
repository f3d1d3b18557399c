"""Servers over a real socket, with engines whose numbers mean nothing."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from steelyard.engines.fake import FakeEncoder, FakeReranker
from steelyard.models.recipe import Recipe
from steelyard.serving.local_service import Loaded

Serve = Callable[..., str]


def recipe(name: str = "fake", **changes: Any) -> Recipe:
    """An embedding recipe of 32 dimensions, cut down to 8, with templates of its own."""
    facts: dict[str, Any] = {
        "name": name,
        "title": name,
        "kind": "embedding",
        "architecture": "bert",
        "pooling": "mean",
        "dimension": 32,
        "matryoshka": True,
        "min_dimension": 8,
        "max_tokens": 0,
        "query_template": "Instruct: {instruction}\nQuery:{text}",
        "instruction": "find it",
        "licence": "MIT",
        "parameters": 0,
    }
    return Recipe(**facts | changes)


def reranker_recipe(name: str = "fake-reranker", **changes: Any) -> Recipe:
    facts: dict[str, Any] = {
        "kind": "reranker",
        "architecture": "xlm-roberta",
        "pooling": "none",
        "dimension": 0,
        "matryoshka": False,
        "min_dimension": 0,
        "query_template": "{text}",
        "instruction": None,
    }
    return recipe(name, **facts | changes)


@contextmanager
def serving_app(app: Any) -> Iterator[str]:
    """The URL of an application that runs in a thread."""
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def fake_models(encoder: FakeEncoder | None = None) -> dict[str, Loaded]:
    return {
        "fake": Loaded(recipe(), encoder or FakeEncoder()),
        "plain": Loaded(
            recipe(
                "plain",
                matryoshka=False,
                min_dimension=0,
                query_template="query: {text}",
                document_template="passage: {text}",
                instruction=None,
            ),
            FakeEncoder(name="plain", max_tokens=40),
        ),
        "fake-reranker": Loaded(reranker_recipe(), FakeReranker()),
    }
