"""What an expression may say: the options that each part takes, their types and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.models.recipe import Recipe
from steelyard.retrieval.expression import Leaf, Value


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


Options = Mapping[str, Option]

WEIGHT = {"weight": Option(float, "share in a weighted fusion", 0, 1e6)}
FUSE = {
    "depth": Option(int, "hits taken from every part (100)", 1, 100_000),
    "rrf": Option(int, "the constant of reciprocal rank fusion (60)", 1, 10_000),
    **WEIGHT,
}
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

MAXSIM = "maxsim"
MAXSIM_MODEL = "e5-small"
BM25 = "bm25"
DENSE = "dense"


def options_for(leaf: Leaf, recipe: Recipe | None) -> Options:
    """The options that a leaf takes, by name.

    Args:
        leaf: the part.
        recipe: of the model that it names; None for BM25, MaxSim and endpoints.
    """
    if leaf.scheme == "openai":
        return _REMOTE_DENSE | WEIGHT
    if leaf.scheme == "rerank":
        return _RERANK
    if leaf.scheme == MAXSIM:
        return _LATE
    if leaf.name == BM25:
        return _BM25 | WEIGHT
    if leaf.name == MAXSIM:
        return _MAXSIM
    if recipe and recipe.kind == "reranker":
        return _RERANK | _BACKEND
    heads = recipe.heads if recipe else (DENSE,)
    head = {"head": Option(str, "what of the model ranks: one vector, token weights or token vectors", choices=heads)}
    return (_BACKEND if other_heads(leaf) else _DENSE) | head | WEIGHT


def other_heads(leaf: Leaf) -> tuple[str, ...]:
    """The heads that a leaf asks for beside the dense one, which takes more options."""
    return tuple(str(h) for h in dict(leaf.options).get("head", ()) if h != DENSE)
