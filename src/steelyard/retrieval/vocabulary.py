"""What an expression may say: the names there are and the options that each takes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steelyard.engines.load import Gives, backend_name
from steelyard.engines.remote.matching import NONE
from steelyard.errors import ExpressionError, UsageError
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_names
from steelyard.retrieval.expression import Fuse, Leaf, Node, Value, leaves


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its type, its bounds (inclusive) and a sentence for the reader."""

    kind: type
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def complaint(self, value: Value) -> str:
        """Why ``value`` does not fit; empty where it does."""
        if self.kind is str:
            if self.choices and value not in self.choices:
                return f"takes one of {', '.join(self.choices)}"
            return ""
        if isinstance(value, str) or (self.kind is int and not isinstance(value, int)):
            return f"takes a {'whole number' if self.kind is int else 'number'}"
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            return f"must lie between {self.low:g} and {self.high:g}"
        return ""


_WEIGHT = {"weight": Option(float, "share in a weighted fusion", 0, 1e6)}
_BM25 = {
    "k1": Option(float, "term saturation (1.5)", 0, 100),
    "b": Option(float, "length normalisation (0.75)", 0, 1),
}
_INSTRUCTION = {"instruction": Option(str, 'task text of queries; "none" leaves it out, "default" is the recipe\'s')}
_KEPT = {
    "max_tokens": Option(int, "cut texts to so many tokens, the template's included", 3, 10_000_000),
    "dim": Option(int, "cut vectors to this many dimensions and normalise again", 1, 65536),
    "precision": Option(str, "bits kept of the documents' values (float32)", choices=("float32", "int8", "binary")),
    "rescore": Option(
        int, "first hits put in the order of their float32 vectors, where precision is less (0)", 0, 100_000
    ),
}
_BACKEND = {"backend": Option(str, "the engine that computes")}
_LONG = {"long": Option(str, "over-long texts: cut at the end, or read in windows (cut)", choices=("cut", "chunk"))}
_DENSE = _INSTRUCTION | _KEPT | _LONG | _BACKEND
_REMOTE = {
    "batch": Option(int, "texts a request (64)", 1, 4096),
    "concurrency": Option(int, "requests under way at once (8)", 1, 1024),
    "recipe": Option(
        str, "the recipe whose templates are put on before sending, or none (the one that the name means)"
    ),
}
_REMOTE_DENSE = _INSTRUCTION | _KEPT | _REMOTE
_RERANK = _INSTRUCTION | {"top": Option(int, "hits that are reranked (50)", 1, 100_000)}
_LATE = {"top": _RERANK["top"]} | _BACKEND
_MAXSIM = {"top": _RERANK["top"], "model": Option(str, "the model whose token states are compared (e5-small)")}
_FUSE = {
    "depth": Option(int, "hits taken from every part (100)", 1, 100_000),
    "rrf": Option(int, "the constant of reciprocal rank fusion (60)", 1, 10_000),
}

MAXSIM = "maxsim"
MAXSIM_MODEL = "e5-small"
BM25 = "bm25"
DENSE = "dense"
_GIVES: Mapping[str, Gives] = {"sparse": "token weights", "colbert": "token vectors"}


def names(*, rerankers: bool) -> tuple[str, ...]:
    """The names that stand at the head of a system, or behind ``>>``."""
    kind = "reranker" if rerankers else "embedding"
    models = tuple(n for n in recipe_names() if load_recipe(n).kind == kind)
    return ((MAXSIM,) if rerankers else (BM25,)) + models


def options_of(leaf: Leaf) -> Mapping[str, Option]:
    """The options that a leaf takes, by name."""
    if leaf.scheme == "openai":
        return _REMOTE_DENSE | _WEIGHT
    if leaf.scheme == "rerank":
        return _RERANK
    if leaf.scheme == MAXSIM:
        return _LATE
    if leaf.name == BM25:
        return _BM25 | _WEIGHT
    if leaf.name == MAXSIM:
        return _MAXSIM
    recipe = recipe_of(leaf)
    if recipe and recipe.kind == "reranker":
        return _RERANK | _BACKEND
    heads = recipe.heads if recipe else (DENSE,)
    head = {"head": Option(str, "what of the model ranks: one vector, token weights or token vectors", choices=heads)}
    return (_BACKEND if _other_heads(leaf) else _DENSE) | head | _WEIGHT


def _other_heads(leaf: Leaf) -> tuple[str, ...]:
    """The heads that a leaf asks for beside the dense one, which takes fewer options."""
    return tuple(str(h) for h in dict(leaf.options).get("head", ()) if h != DENSE)


def check(node: Node, source: str = "") -> None:
    """Refuses what would fail later: unknown names, options that do not fit, parts in the wrong place.

    Raises:
        ExpressionError: pointing into ``source`` where the part stands, and listing what would fit.
    """
    if isinstance(node, Leaf):
        _check_leaf(node, source, rerankers=False)
    elif isinstance(node, Fuse):
        _check_options(node, _FUSE | _WEIGHT, "a fusion", source, 0)
        for part in node.parts:
            check(part, source)
    else:
        _check_options(node, _WEIGHT, "a reranked system", source, 0)
        check(node.first, source)
        _check_leaf(node.reranker, source, rerankers=True)


def _check_leaf(leaf: Leaf, source: str, *, rerankers: bool) -> None:
    if not leaf.scheme:
        fitting = names(rerankers=rerankers)
        if leaf.name not in fitting:
            raise ExpressionError(_unknown(leaf.name, fitting, rerankers=rerankers), source, leaf.column)
    elif reranks(leaf) is not rerankers:
        fits = (
            "rerank:NAME@URL, maxsim:MODEL or a reranker's folder"
            if rerankers
            else "openai:NAME@URL or an embedding model's folder"
        )
        raise ExpressionError(f"{leaf.scheme}: does not fit here; use {fits}", source, leaf.column)
    heads = _other_heads(leaf)
    what = f"{leaf.name}[head={'|'.join(heads)}]" if heads and not leaf.scheme else leaf.name
    _check_options(leaf, options_of(leaf), what, source, leaf.column)
    _check_models(leaf, source)


def reranks(leaf: Leaf) -> bool:
    """Whether a leaf stands behind ``>>``.

    Raises:
        RecipeError: a folder that cannot be read as a model.
    """
    if not leaf.scheme:
        return leaf.name in names(rerankers=True)
    recipe = recipe_of(leaf)
    return recipe.kind == "reranker" if recipe else leaf.scheme in ("rerank", MAXSIM)


def _unknown(name: str, fitting: tuple[str, ...], *, rerankers: bool) -> str:
    if name in names(rerankers=not rerankers):
        place = "reranks: put it behind '>>'" if not rerankers else "does not rerank: put it before '>>'"
        return f"{name!r} {place}. Here fits: {', '.join(fitting)}"
    near = difflib.get_close_matches(name, fitting, 3)
    guess = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"there is no {'reranker' if rerankers else 'system'} {name!r}.{guess} Here fits: {', '.join(fitting)}"


def _check_options(node: Node, known: Mapping[str, Option], what: str, source: str, column: int) -> None:
    for key, values in node.options:
        option = known.get(key)
        if option is None:
            raise ExpressionError(f"{what} has no option {key!r}; it takes {', '.join(sorted(known))}", source, column)
        for value in values:
            complaint = option.complaint(value)
            if complaint:
                raise ExpressionError(f"{what}[{key}={value}]: {key} {complaint}", source, column)


def _check_models(leaf: Leaf, source: str) -> None:
    _check_gives(leaf, source)
    recipe = recipe_of(leaf)
    for key, values in leaf.options:
        for value in values:
            if key == "recipe" and value == NONE:
                continue
            if key in ("model", "recipe") and value not in names(rerankers=False)[1:]:
                fitting = ", ".join(names(rerankers=False)[1:])
                raise ExpressionError(f"there is no model {value!r}. Here fits: {fitting}", source, leaf.column)
            if key == "dim" and recipe and isinstance(value, int) and value > recipe.dimension:
                message = f"{leaf.name} gives {recipe.dimension} dimensions, fewer than {value}"
                raise ExpressionError(message, source, leaf.column)
            if key == "backend" and recipe and value not in recipe.backends:
                fitting = ", ".join(recipe.backends)
                raise ExpressionError(f"{leaf.name} runs on {fitting}, not on {value!r}", source, leaf.column)


def _check_gives(leaf: Leaf, source: str) -> None:
    """Refuses what the leaf's model gives on no engine, or not on the one that is named."""
    recipe = late_recipe(leaf, source) if leaf.scheme == MAXSIM else recipe_of(leaf)
    if recipe is None:
        return
    asked: list[Gives] = ["token vectors"] if leaf.scheme == MAXSIM else [_GIVES[h] for h in _other_heads(leaf)]
    backends: list[str | None] = [str(b) for b in dict(leaf.options).get("backend", ())]
    for gives in asked:
        for backend in backends or [None]:
            try:
                backend_name(recipe, backend, gives)
            except UsageError as wrong:
                raise ExpressionError(str(wrong), source, leaf.column) from None


def late_recipe(leaf: Leaf, source: str = "") -> Recipe:
    """The recipe of the model behind ``maxsim:``.

    Raises:
        ExpressionError: there is no such model, or it is no embedding model.
        RecipeError: a folder that cannot be read as a model.
    """
    folder = leaf.name.removeprefix("folder:")
    if folder == leaf.name and folder not in names(rerankers=False)[1:]:
        raise ExpressionError(_unknown(folder, names(rerankers=False)[1:], rerankers=False), source, leaf.column)
    recipe = load_recipe(folder) if folder == leaf.name else read_recipe(Path(folder))
    if recipe.kind != "embedding":
        raise ExpressionError(f"maxsim compares token vectors, which {folder} does not give", source, leaf.column)
    return recipe


def recipe_of(leaf: Leaf) -> Recipe | None:
    """The recipe of a named model or of a folder; None for what has none here.

    Raises:
        RecipeError: a folder that cannot be read as a model.
    """
    if leaf.scheme == "folder":
        return read_recipe(Path(leaf.name))
    if leaf.scheme or leaf.name in (BM25, MAXSIM):
        return None
    return load_recipe(leaf.name)


def notes(node: Node) -> tuple[str, ...]:
    """What a reader of the result should know about a system without sweeps."""
    found = []
    for leaf in leaves(node):
        recipe = recipe_of(leaf)
        cut = dict(leaf.options).get("dim", (0,))[0]
        if recipe and cut and cut != recipe.dimension and not recipe.matryoshka:
            found.append(f"{leaf.name} was not trained to be cut (no MRL); {cut} dimensions are a plain truncation")
    return tuple(found)
