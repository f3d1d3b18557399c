"""Servers over a real socket, with engines whose numbers mean nothing."""

from collections.abc import Callable
from typing import Any

from fake_engines import FakeEncoder, FakeReranker
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
