"""What Python gives in place of an expression: encoder objects, retrievers, functions and runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from steelyard.api.runs import RunRetriever, read_run
from steelyard.engines.base import BaseEncoder
from steelyard.engines.protocol import EngineInfo
from steelyard.errors import EngineError, UsageError
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.protocol import Progress, Retriever, silent
from steelyard.retrieval.resolve import Resolver, read_systems
from steelyard.retrieval.system import Given, System
from steelyard.types import Document, Query, Ranking, Role, Vectors, ranked

ACCEPTED = (
    "an expression, a system of read_systems, an object with encode(texts), a retriever with index and search, a "
    "function of a query, a run (dict, frame or Path), or a pair (name, one of these)"
)


def systems_of(sources: Iterable[object]) -> tuple[System, ...]:
    """Systems from whatever :func:`steelyard.evaluate` accepts; names that repeat are numbered.

    Raises:
        UsageError: something that is none of these, or a name that is a model here.
        ExpressionError: an expression that does not fit.
    """
    found: list[System] = []
    resolver = Resolver()
    for source in sources:
        if isinstance(source, str | System):
            found += read_systems([source])
        else:
            found.append(_given(source, {s.name for s in found}, resolver))
    return tuple({s.name: s for s in found}.values())


def _given(source: object, taken: set[str], resolver: Resolver) -> Given:
    name, thing = cast(tuple[str, object], source) if _is_pair(source) else (_name(source), source)
    if _is_pair(source) and resolver.known(name):
        raise UsageError(f'{name!r} is a system of Steelyard; give yours another name, as ("my {name}", ...)')
    label, number = name, 2
    while label in taken or resolver.known(label):
        label, number = f"{name} ({number})", number + 1
    return Given(label, _retriever(label, thing))


def _is_pair(source: object) -> bool:
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str)


def _name(source: object) -> str:
    if isinstance(source, Path):
        return source.stem
    named = getattr(source, "__name__", None)
    return str(named) if named else type(source).__name__


def _retriever(name: str, thing: Any) -> Retriever:
    if isinstance(thing, Path | Mapping) or hasattr(thing, "itertuples"):
        return RunRetriever(read_run(thing, name))
    if hasattr(thing, "index") and hasattr(thing, "search"):
        return cast(Retriever, thing)
    if isinstance(thing, BaseEncoder):
        return DenseRetriever(thing)
    if hasattr(thing, "encode"):
        return DenseRetriever(ObjectEncoder(name, thing))
    search = getattr(thing, "search", thing)
    if callable(search):
        return FunctionRetriever(name, search)
    raise UsageError(f"{name} (a {type(thing).__name__}) is no system; evaluate takes {ACCEPTED}")


class ObjectEncoder(BaseEncoder):
    """An object that encodes as sentence-transformers does: ``encode(texts) -> [n, d]``.

    ``encode_query`` and ``encode_document`` are used where it has them, so that its own prompts are put on. Its vectors
    are never cached, as nothing says when they change.

    Args:
        name: what it is called.
        inner: the object.
    """

    def __init__(self, name: str, inner: Any) -> None:
        self._inner = inner
        self._info = EngineInfo(name, "python", 0, None, f"python/{name}")

    @property
    def info(self) -> EngineInfo:
        """Its name; the dimension is known when it has encoded."""
        return self._info

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        if instruction:
            raise UsageError(f"{self._info.model} takes no instruction here; put it on in encode_query")
        encode = getattr(self._inner, f"encode_{role.value}", None) or self._inner.encode
        rows = _safely(self._info.model, encode, list(texts))
        rows = rows.detach().cpu() if hasattr(rows, "detach") else rows
        return np.asarray(rows, dtype=np.float32)


class FunctionRetriever:
    """A function of a query's text, or of text and number of hits.

    It returns document ids best first, (id, score) pairs, hits with ``id`` and ``score``, or a mapping id -> score.

    Args:
        name: what it is called.
        search: the function.
    """

    def __init__(self, name: str, search: Callable[..., object]) -> None:
        self._name = name
        self._search = search
        self._takes_k = _positional(search) > 1

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Nothing: a function has its own documents."""

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``."""
        rankings = []
        for i, query in enumerate(queries, 1):
            asked = (query.text, k) if self._takes_k else (query.text,)
            rankings.append(ranked(query.id, self._scores(_safely(self._name, self._search, *asked)), k))
            progress("search", i, len(queries))
        return rankings

    def _scores(self, found: object) -> dict[str, float]:
        if isinstance(found, Mapping):
            return {str(i): float(s) for i, s in found.items()}
        if not isinstance(found, Iterable) or isinstance(found, str):
            raise EngineError(f"{self._name} returned a {type(found).__name__}, not ids or (id, score) pairs")
        hits = list(found)
        return dict(_hit(hit, len(hits) - i, self._name) for i, hit in enumerate(hits))


def _hit(hit: Any, place: int, name: str) -> tuple[str, float]:
    """Id and score; ids alone are scored by their place."""
    if isinstance(hit, str | int):
        return str(hit), float(place)
    if isinstance(hit, tuple) and len(hit) == 2:
        return str(hit[0]), float(hit[1])
    if hasattr(hit, "id") and hasattr(hit, "score"):
        return str(hit.id), float(hit.score)
    raise EngineError(f"{name} returned {hit!r:.60}, which is neither an id nor (id, score)")


def _positional(search: Callable[..., object]) -> int:
    """How many positional arguments it takes; 1 where that cannot be seen."""
    try:
        parameters = inspect.signature(search).parameters.values()
    except (TypeError, ValueError):
        return 1
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _safely(name: str, call: Callable[..., Any], *arguments: object) -> Any:
    """What the user's code returns; its failure ends this system and no other."""
    try:
        return call(*arguments)
    except Exception as wrong:
        raise EngineError(f"{name} failed: {type(wrong).__name__}: {wrong}") from wrong
