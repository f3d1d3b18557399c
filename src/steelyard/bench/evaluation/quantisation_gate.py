"""Whether a cheaper backend of a model may be used: its vectors and its rankings held against an exact one's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.cached import CachedEncoder, CacheUse
from steelyard.bench.evaluation.result import Result
from steelyard.bench.evaluation.runner import Watcher, WeighConfig, weigh
from steelyard.bench.evaluation.votes import replacements
from steelyard.engines.agreement import Agreement, agreement
from steelyard.engines.base import TruncationWarning
from steelyard.engines.load import ENCODERS
from steelyard.engines.quantisation_checks import Checked, is_quantised
from steelyard.errors import EngineError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.expression import Leaf, parse
from steelyard.retrieval.resolve import Resolver
from steelyard.retrieval.system import System
from steelyard.stats.difference import PairedDifference
from steelyard.suites.suite import Suite
from steelyard.types import Role

MEASURE = "top1"
"""The primary measure; the suite's others are guards."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a backend must keep.

    Attributes:
        cosine: of every vector to its reference, at least.
        centred: the centred cosine of every vector, at least.
        lost: of every measure that votes, what may be lost, as a share: the lower end of the paired 95 % interval
            decides, so that a suite too small to exclude a greater loss accepts nothing.
    """

    cosine: float = 0.99
    centred: float = 0.97
    lost: float = 0.03


@dataclass(frozen=True, slots=True)
class Gate:
    """What was found.

    Attributes:
        candidate: the system that was checked, as an expression.
        reference: what it was held against.
        suite: on which texts.
        fingerprint: of the candidate's engine.
        backend: the candidate's, as its engine names it.
        agreement: of the documents' vectors.
        votes: the candidate less the reference, paired by query, Top-1 first, then the suite's guards.
        figures: Top-1 of reference and candidate.
        faults: which limits were not kept, a sentence each.
    """

    candidate: str
    reference: str
    suite: str
    fingerprint: str
    backend: str
    agreement: Agreement
    votes: tuple[PairedDifference, ...]
    figures: tuple[float, float]
    faults: tuple[str, ...]

    @property
    def top1(self) -> PairedDifference:
        """The candidate's Top-1 less the reference's."""
        return self.votes[0]

    @property
    def accepted(self) -> bool:
        """Whether every limit was kept."""
        return not self.faults

    def checked(self) -> Checked:
        """The same as it is kept."""
        summary = "; ".join(self.faults) or str(self.agreement)
        return Checked(self.fingerprint, self.reference, self.suite, self.accepted, summary)


def hold_against(
    model: str,
    backend: str,
    suite: Suite,
    cache: VectorCache,
    against: str | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> Gate:
    """Weighs a model on two backends and compares vectors and rankings.

    Args:
        model: a name of ``steelyard models``, or ``folder:PATH``.
        backend: the one that is checked.
        suite: whose documents and queries are used.
        cache: both backends' vectors are kept in it, so that a check after a run computes nothing.
        against: the exact backend; :func:`reference_of` says which when None.
        limits: what must be kept.
        watcher: told how far it is.

    Raises:
        UsageError: not an embedding model, or no exact backend to hold it against.
        ExpressionError: no such model, or it does not run on a backend.
        EngineError: one of the two could not be run.
    """
    resolver = Resolver()
    leaf, recipe = _embedding(model, resolver)
    wanted = (against or reference_of(recipe, backend), backend)
    nodes = [replace(leaf, options=(("backend", (b,)),)) for b in wanted]
    systems = [resolver.resolve(node, str(node)) for node in nodes]
    measures = tuple(dict.fromkeys((MEASURE, *suite.votes)))
    result = weigh(systems, suite, WeighConfig(measures=measures, cache=cache), watcher=watcher)
    for system in result.systems:
        if system.error:
            raise EngineError(f"{system.name} could not be run: {system.error}")
    return _judge(result, _agreement(systems, suite, cache), limits or Limits())


def reference_of(recipe: Recipe, backend: str) -> str:
    """The backend that another is held against, of those that are installed: ``torch-fp32``, else the first exact one.

    Raises:
        UsageError: there is none beside ``backend``.
    """
    exact = [b for b in recipe.backends if b != backend and b in ENCODERS and not is_quantised(b)]
    exact = [b for b in exact if ENCODERS[b].ready()] or exact
    if not exact:
        raise UsageError(f"{recipe.name} has no other backend to hold {backend} against")
    return "torch-fp32" if "torch-fp32" in exact else exact[0]


def faults(found: Agreement, votes: Sequence[PairedDifference], limits: Limits) -> tuple[str, ...]:
    """Which limits were not kept; the texts whose nearest neighbour moved are shown and do not decide."""
    lines = []
    if found.cosine < limits.cosine:
        lines.append(f"smallest cosine {found.cosine:.4f} is below {limits.cosine:g}")
    if found.centred < limits.centred:
        lines.append(f"smallest centred cosine {found.centred:.4f} is below {limits.centred:g}")
    for vote in votes:
        if vote.low <= -limits.lost:
            loss = f"a loss of {-100 * vote.low:.1f} points of {vote.measure} is not excluded"
            lines.append(f"{loss}; {100 * limits.lost:g} may be lost")
    return tuple(lines)


def _judge(result: Result, found: Agreement, limits: Limits) -> Gate:
    reference, candidate = result.systems
    found_votes = replacements(result, reference.name, [candidate.name], measure=MEASURE, margin=limits.lost)
    votes = found_votes[candidate.name].votes
    shares = [_mean(s.values[MEASURE]) for s in (reference, candidate)]
    return Gate(
        candidate=candidate.name,
        reference=reference.name,
        suite=f"{result.suite.name} {result.suite.version}".strip(),
        fingerprint=candidate.fingerprints[0],
        backend=candidate.engines[0].backend,
        agreement=found,
        votes=votes,
        figures=(shares[0], shares[1]),
        faults=faults(found, votes, limits),
    )


def _mean(values: tuple[float | None, ...]) -> float:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else 0.0


def _agreement(systems: Sequence[System], suite: Suite, cache: VectorCache) -> Agreement:
    """Of the documents' vectors, which the run before has left in the cache."""
    builder = SystemBuilder(wrap_encoder=lambda e: CachedEncoder(e, cache, CacheUse()))
    texts = list(dict.fromkeys(d.text for d in suite.documents))
    try:
        encoders = [builder.encoder(model) for system in systems for model in system.models]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)  # both cut the same texts; the run has said so
            return agreement(*(encoder.encode(texts, Role.DOCUMENT) for encoder in encoders))
    finally:
        builder.close()


def _embedding(model: str, resolver: Resolver) -> tuple[Leaf, Recipe]:
    """The part and the recipe of an embedding model that is named alone."""
    node = parse(model)
    if not isinstance(node, Leaf) or node.options:
        raise UsageError(f"{model!r}: name one model alone, as in e5-small or folder:./my-model")
    if resolver.reranks(node):
        raise UsageError(
            f"{model} reranks and has no vectors to compare; what a backend costs its rankings says: "
            f"steelyard weigh 'bm25 >> {model}[backend=torch-fp32|torch-int8]'"
        )
    system = resolver.resolve(node, model)
    recipe = system.models[0].here if system.models else None
    if recipe is None:
        raise UsageError(f"{model} has no vectors to compare; check an embedding model of `steelyard models`")
    return node, recipe
