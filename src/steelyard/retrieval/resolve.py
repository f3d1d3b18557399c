"""From text to systems: names, options and engines are checked here, once, and before anything is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from steelyard.engines.load import Gives, backend_name
from steelyard.engines.remote.matching import NONE, endpoint_recipe
from steelyard.errors import ExpressionError, SteelyardError, UsageError
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_names
from steelyard.retrieval.expression import Fuse, Leaf, Node, Value, expand, parse, single_options
from steelyard.retrieval.options import (
    BM25,
    DENSE,
    FUSE,
    MAXSIM,
    MAXSIM_MODEL,
    WEIGHT,
    Options,
    options_for,
    other_heads,
)
from steelyard.retrieval.quantised import PRECISIONS, Precision
from steelyard.retrieval.system import Endpoint, Fused, Lexical, Model, Reranked, Single, System, Vectors
from steelyard.wording.words import say

_GIVES: dict[Value, Gives] = {DENSE: "vectors", "sparse": "token weights", "colbert": "token vectors"}


def read_systems(sources: Sequence[str | System]) -> tuple[System, ...]:
    """Parses, checks, expands and resolves expressions; the same system twice is kept once.

    Args:
        sources: expressions, which may hold sweeps; a system that was resolved before is taken as it is.

    Raises:
        ExpressionError: for the first that does not fit, before anything is loaded.
    """
    resolver = Resolver()
    found: dict[str, System] = {}
    for source in sources:
        for system in (source,) if isinstance(source, System) else resolver.read(source):
            found.setdefault(system.name, system)
    return tuple(found.values())


def read_system(source: str) -> System:
    """The one system of an expression.

    Raises:
        ExpressionError: it does not fit.
        UsageError: it is a sweep.
    """
    found = Resolver().read(source)
    if len(found) != 1:
        raise UsageError(f"one system is needed here, and {source} stands for {len(found)}")
    return found[0]


class Resolver:
    """Resolves expressions; every recipe and engine name is looked up once, however many systems of a sweep use it."""

    def __init__(self) -> None:
        self._recipes: dict[str, Recipe] = {}
        self._engines: dict[tuple[str, str | None, str | None, Gives], str] = {}
        self._catalogue: frozenset[str] = frozenset(recipe_names())

    def read(self, source: str) -> tuple[System, ...]:
        """The systems that an expression stands for: one, or the grid of a sweep."""
        return tuple(self.resolve(node, source) for node in expand(parse(source)))

    def known(self, name: str) -> System | None:
        """The system that a result names; None where the name is no expression, as in a published table.

        ``BGE-M3`` of a published table is the model of that name in small letters.
        """
        for source in (name, name.casefold()):
            try:
                found = self.read(source)
            except SteelyardError:
                continue
            return found[0] if len(found) == 1 else None
        return None

    def resolve(self, node: Node, source: str = "") -> System:
        """The system of an expression without sweeps.

        Raises:
            ExpressionError: pointing into ``source`` where the part stands, and listing what would fit.
            RecipeError: a folder that cannot be read as a model.
        """
        if isinstance(node, Leaf):
            return self._single(node, source)
        if isinstance(node, Fuse):
            _check_options(node, FUSE, "a fusion", source, 0)
            given = single_options(node)
            parts = tuple(self.resolve(p, source) for p in node.parts)
            weights = tuple(_number(single_options(p), "weight") for p in node.parts)
            return Fused(node, parts, weights, int(given.get("depth", 100)), int(given.get("rrf", 60)))
        _check_options(node, WEIGHT, "a reranked system", source, 0)
        first = self.resolve(node.first, source)
        reranker = self._reranker(node.reranker, source)
        given = single_options(node.reranker)
        return Reranked(node, first, reranker, int(given.get("top", 50)), _instruction(given))

    def options(self, leaf: Leaf) -> Options:
        """The options that a leaf takes, by name."""
        return options_for(leaf, self._named(leaf))

    def reranks(self, leaf: Leaf) -> bool:
        """Whether a part names a model that stands behind ``>>``; False for an endpoint and for MaxSim."""
        if not leaf.scheme and leaf.name not in self._catalogue:
            return False
        recipe = self._named(leaf)
        return recipe is not None and recipe.kind == "reranker"

    def _single(self, leaf: Leaf, source: str) -> Single:
        self._check(leaf, source, rerankers=False)
        given = single_options(leaf)
        if leaf.name == BM25 and not leaf.scheme:
            return Single(leaf, Lexical(float(given.get("k1", 1.5)), float(given.get("b", 0.75))))
        vectors = Vectors(
            dimension=int(given["dim"]) if "dim" in given else None,
            precision=_precision(given),
            rescore=int(given.get("rescore", 0)),
            instruction=_instruction(given),
            instructed="instruction" in given,
            max_tokens=int(given["max_tokens"]) if "max_tokens" in given else None,
            windows=given.get("long") == "chunk",
        )
        return Single(leaf, self._encoder(leaf, source), vectors)

    def _encoder(self, leaf: Leaf, source: str) -> Model:
        given = single_options(leaf)
        if leaf.scheme != "openai":
            return self._model(leaf, _GIVES[given.get("head", DENSE)], self._named(leaf), source)
        asked = str(given["recipe"]) if "recipe" in given else None
        if asked not in (None, NONE):
            self._embedding(str(asked), leaf, source)
        sent = endpoint_recipe(leaf.name, asked)
        endpoint = Endpoint(leaf.name, leaf.url, int(given.get("batch", 64)), int(given.get("concurrency", 8)))
        return Model(leaf, "vectors", leaf.scheme, sent.recipe, endpoint=endpoint, said=sent.said)

    def _reranker(self, leaf: Leaf, source: str) -> Model:
        self._check(leaf, source, rerankers=True)
        if leaf.scheme == "rerank":
            return Model(leaf, "reranking scores", leaf.scheme, None, endpoint=Endpoint(leaf.name, leaf.url))
        if leaf.scheme == MAXSIM:
            return self._model(leaf, "token vectors", self._late(leaf, source), source)
        if leaf.name == MAXSIM and not leaf.scheme:
            model = str(single_options(leaf).get("model", MAXSIM_MODEL))
            return self._model(leaf, "token vectors", self._embedding(model, leaf, source), source)
        return self._model(leaf, "reranking scores", self._named(leaf), source)

    def _model(self, leaf: Leaf, gives: Gives, recipe: Recipe | None, source: str) -> Model:
        if recipe is None:
            raise ExpressionError(f"{leaf} names no model", source, leaf.column)
        asked = single_options(leaf).get("backend")
        backend = None if asked is None else str(asked)
        key = (recipe.name, recipe.sources.folder, backend, gives)
        if key not in self._engines:
            try:
                self._engines[key] = backend_name(recipe, backend, gives)
            except UsageError as wrong:
                raise ExpressionError(str(wrong), source, leaf.column) from None
        return Model(leaf, gives, self._engines[key], recipe, backend)

    def _check(self, leaf: Leaf, source: str, *, rerankers: bool) -> None:
        """Refuses an unknown name, a part in the wrong place, and options that do not fit."""
        if not leaf.scheme:
            if not self._fits(leaf.name, rerankers=rerankers):
                raise ExpressionError(self._unknown(leaf.name, rerankers=rerankers), source, leaf.column)
        elif self._reranks(leaf) is not rerankers:
            fits = (
                "rerank:NAME@URL, maxsim:MODEL or a reranker's folder"
                if rerankers
                else "openai:NAME@URL or an embedding model's folder"
            )
            raise ExpressionError(f"{leaf.scheme}: does not fit here; use {fits}", source, leaf.column)
        heads = other_heads(leaf)
        what = f"{leaf.name}[head={'|'.join(heads)}]" if heads and not leaf.scheme else leaf.name
        recipe = self._named(leaf)
        _check_options(leaf, options_for(leaf, recipe), what, source, leaf.column)
        if recipe:
            _check_recipe(leaf, recipe, source)

    def _fits(self, name: str, *, rerankers: bool) -> bool:
        if name in (MAXSIM, BM25):
            return (name == MAXSIM) is rerankers
        return name in self._catalogue and (self._recipe(name).kind == "reranker") is rerankers

    def _reranks(self, leaf: Leaf) -> bool:
        recipe = self._named(leaf)
        return recipe.kind == "reranker" if recipe else leaf.scheme in ("rerank", MAXSIM)

    def _named(self, leaf: Leaf) -> Recipe | None:
        """The recipe of a named model or of a folder; None for BM25, MaxSim and endpoints."""
        if leaf.scheme == "folder":
            return self._recipe(f"folder:{leaf.name}")
        if leaf.scheme or leaf.name in (BM25, MAXSIM):
            return None
        return self._recipe(leaf.name)

    def _recipe(self, name: str) -> Recipe:
        if name not in self._recipes:
            folder = name.removeprefix("folder:")
            self._recipes[name] = load_recipe(name) if folder == name else read_recipe(Path(folder))
        return self._recipes[name]

    def _late(self, leaf: Leaf, source: str) -> Recipe:
        """The recipe of the model behind ``maxsim:``."""
        if not leaf.name.startswith("folder:"):
            if not self._fits(leaf.name, rerankers=False) or leaf.name == BM25:
                raise ExpressionError(self._unknown(leaf.name, rerankers=False, models=True), source, leaf.column)
            return self._recipe(leaf.name)
        recipe = self._recipe(leaf.name)
        if recipe.kind != "embedding":
            message = f"maxsim compares token vectors, which {leaf.name.removeprefix('folder:')} does not give"
            raise ExpressionError(message, source, leaf.column)
        return recipe

    def _embedding(self, name: str, leaf: Leaf, source: str) -> Recipe:
        """The recipe that an option names."""
        if name == BM25 or not self._fits(name, rerankers=False):
            fitting = ", ".join(self._names(rerankers=False)[1:])
            raise ExpressionError(f"there is no model {name!r}. Here fits: {fitting}", source, leaf.column)
        return self._recipe(name)

    def _names(self, *, rerankers: bool) -> tuple[str, ...]:
        """What stands at the head of a system, or behind ``>>``; for messages alone, as it reads every recipe."""
        kind = "reranker" if rerankers else "embedding"
        models = tuple(n for n in sorted(self._catalogue) if self._recipe(n).kind == kind)
        return ((MAXSIM,) if rerankers else (BM25,)) + models

    def _unknown(self, name: str, *, rerankers: bool, models: bool = False) -> str:
        fitting = self._names(rerankers=rerankers)[1 if models else 0 :]
        if self._fits(name, rerankers=not rerankers):
            place = "reranks: put it behind '>>'" if not rerankers else "does not rerank: put it before '>>'"
            return f"{name!r} {place}. Here fits: {', '.join(fitting)}"
        near = difflib.get_close_matches(name, fitting, 3)
        guess = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"there is no {'reranker' if rerankers else 'system'} {name!r}.{guess} Here fits: {', '.join(fitting)}"


def notes(system: System) -> tuple[str, ...]:
    """What a reader of the result should know about a system before it is weighed."""
    found = []
    for model in system.recalling:
        recipe, cut = model.here, dict(model.leaf.options).get("dim", (0,))[0]
        if recipe and cut and cut != recipe.dimension and not recipe.matryoshka:
            found.append(say("remark.not_trained", model=model.leaf.name, cut=cut))
    return tuple(found)


def _check_options(node: Node, known: Options, what: str, source: str, column: int) -> None:
    for key, values in node.options:
        option = known.get(key)
        if option is None:
            raise ExpressionError(f"{what} has no option {key!r}; it takes {', '.join(sorted(known))}", source, column)
        for value in values:
            complaint = option.complaint(value)
            if complaint:
                raise ExpressionError(f"{what}[{key}={value}]: {key} {complaint}", source, column)


def _check_recipe(leaf: Leaf, recipe: Recipe, source: str) -> None:
    """Refuses more dimensions than the model gives, and a backend that it does not run on."""
    given = single_options(leaf)
    cut = given.get("dim")
    if isinstance(cut, int) and cut > recipe.dimension:
        message = f"{leaf.name} gives {recipe.dimension} dimensions, fewer than {cut}"
        raise ExpressionError(message, source, leaf.column)
    if "backend" in given and given["backend"] not in recipe.backends:
        fitting = ", ".join(recipe.backends)
        raise ExpressionError(f"{leaf.name} runs on {fitting}, not on {given['backend']!r}", source, leaf.column)


def _instruction(given: dict[str, Value]) -> str | None:
    text = given.get("instruction", "default")
    return None if text == "default" else "" if text == "none" else str(text)


def _precision(given: dict[str, Value]) -> Precision:
    return next((p for p in PRECISIONS if p == given.get("precision")), "float32")


def _number(given: dict[str, Value], key: str) -> float | None:
    return float(given[key]) if key in given else None
