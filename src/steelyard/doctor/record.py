"""Makes golden files: of a target that is trusted, or of a folder whose weights can be run in wrong ways too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.cost import target_hits
from steelyard.doctor.golden import Golden, wanted_texts
from steelyard.doctor.hypotheses import hypotheses
from steelyard.doctor.local import RIGHT, LocalReference, Way
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.target import RefusedError, Target
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

_A_REQUEST = 16


def record(target: Target, recipe: Recipe) -> Golden:
    """Asks a trusted target for the vectors of every text that a known fault of templates would make of the probes.

    Args:
        target: one that embeds texts as they are sent; one that puts templates on itself records the right texts alone.
        recipe: what it is trusted to be.

    Raises:
        EndpointError: it cannot be asked.
    """
    right, texts = wanted_texts(recipe)
    rows = _right_alone(target, recipe) if target.templates == "server" else dict(_asked(target, texts[RIGHT]))
    hits = target_hits(Case(target, recipe))
    return Golden(target.name, recipe.name, {RIGHT: rows}, frozenset(right), hits=hits)


def record_folder(reference: LocalReference, recipe: Recipe, within: float = 0.0) -> Golden:
    """Runs a checkpoint in every known way, so that a golden file names wrong pooling and closing tokens as well.

    Args:
        reference: the checkpoint.
        recipe: what it is trusted to be.
        within: loss that its weights have themselves, see :class:`~steelyard.doctor.local.Reference`.
    """
    right, texts = wanted_texts(recipe)
    rows: dict[Way, dict[str, Vectors]] = {}
    for way, some in texts.items():
        found = reference.vectors(some, way)
        if found is not None:
            rows[way] = dict(zip(some, found, strict=True))
    ruler, hits = reference.ruler(), reference.right_hits()
    return Golden(reference.name, recipe.name, rows, frozenset(right), ruler, hits, within)


def _right_alone(target: Target, recipe: Recipe) -> dict[str, Vectors]:
    (right, *_) = hypotheses(recipe, "server")
    rows = dict(zip(right.queries, target.embed(QUERIES, Role.QUERY).vectors, strict=True))
    return rows | dict(zip(right.documents, target.embed(DOCUMENTS, Role.DOCUMENT).vectors, strict=True))


def _asked(target: Target, texts: tuple[str, ...]) -> Iterator[tuple[str, Vectors]]:
    for start in range(0, len(texts), _A_REQUEST):
        part = texts[start : start + _A_REQUEST]
        try:
            found = target.embed(part, Role.DOCUMENT).vectors
        except RefusedError:
            found = np.stack([target.embed([text], Role.DOCUMENT).vectors[0] for text in part])
        yield from zip(part, found, strict=True)
