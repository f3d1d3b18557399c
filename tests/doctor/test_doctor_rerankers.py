"""Rerankers with one fault planted, in a tiny Qwen3 with random values and in a server's numbers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import pytest

from steelyard.doctor.examine import Request, examine
from steelyard.doctor.probes import PAIRS
from steelyard.doctor.rerankers import LocalRerankReference, RerankCase, diagnose_reranker
from steelyard.errors import UsageError
from steelyard.models.recipe import Recipe
from steelyard.types import Scores


@cache
def loaded(folder: Path) -> tuple[Any, ...]:
    import torch
    import transformers as hf

    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    return hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), tokenizer


class Server:
    """Scores of transformers over prompts that ``write`` makes; ``yes`` and ``no`` as given."""

    name = "planted"

    def __init__(self, folder: Path, write: Any, templates: str = "server", swapped: bool = False) -> None:
        import torch

        self.templates = templates
        self._write, self._torch = write, torch
        self._model, self._tokenizer = loaded(folder)
        self._order = [9693, 2152] if swapped else [2152, 9693]

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        scores = []
        for document in documents:
            ids = self._tokenizer.encode(self._write(query, document), add_special_tokens=False)
            with self._torch.no_grad():
                logits = self._model(input_ids=self._torch.tensor([ids]), logits_to_keep=1).logits[0, -1]
            scores.append(float(self._torch.softmax(logits[self._order], 0)[1]))
        return np.array(scores, dtype=np.float32)


def recipe_of(folder: Path) -> Recipe:
    return checkpoints.recipe("qwen3-reranker-0.6b", folder, parameters=0, lookup_parameters=None, examples=())


def full(recipe: Recipe) -> Any:
    return lambda q, d: recipe.render_query(q) + recipe.render_document(d)


FAULTS = {
    "healthy": (full, {}, "inconclusive"),
    "healthy, prompt by the client": (lambda r: lambda q, d: q + d, {"templates": "client"}, "inconclusive"),
    "prompt missing": (lambda r: lambda q, d: q + d, {}, "reranker-template-missing"),
    "yes and no swapped": (full, {"swapped": True}, "yes-no-swapped"),
    "instruction missing": (
        lambda r: lambda q, d: r.render_query(q, "") + r.render_document(d),
        {},
        "instruction-missing",
    ),
    "not closed": (lambda r: lambda q, d: r.render_query(q) + d, {}, "template-wrong"),
    "documents cut": (lambda r: lambda q, d: r.render_query(q) + r.render_document(d[:900]), {}, "silent-truncation"),
    "prompt doubled": (full, {"templates": "client"}, "template-doubled"),
}


@pytest.fixture(scope="module")
def reference(reranker: Path) -> LocalRerankReference:
    return LocalRerankReference(str(reranker))


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_first(name: str, reranker: Path, reference: LocalRerankReference) -> None:
    write, options, wanted = FAULTS[name]
    recipe = recipe_of(reranker)
    target = Server(reranker, write(recipe), **options)  # type: ignore[arg-type]
    found = diagnose_reranker(RerankCase(target, recipe, reference))  # type: ignore[arg-type]
    assert (found.faults[0].fault.value if found.faults else found.verdict) == wanted, found


class Overlap:
    """The share of a query's letters that a document holds, perhaps the wrong way round or in the wrong order."""

    name, templates = "overlap", "server"

    def __init__(self, sign: float = 1.0, mixed: bool = False, near: bool = False) -> None:
        self._sign, self._mixed, self._near = sign, mixed, near

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        own = next((p.document for p in PAIRS if p.query == query), "")
        scores = np.array([0.5 + self._sign * (0.3 if d == own else -0.001 * len(d)) for d in documents])
        if self._near:
            scores += 0.05 * max(map(len, documents)) / 100
        return (np.sort(scores) if self._mixed else scores).astype(np.float32)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (Overlap(), "inconclusive"),
        (Overlap(-1.0), "yes-no-swapped"),
        (Overlap(mixed=True), "order"),
        (Overlap(near=True), "batch-dependent"),
        (Overlap(0.0), "reranker-template-missing"),
    ],
)
def test_without_right_scores_behaviour_tells(target: Overlap, wanted: str, reranker: Path) -> None:
    found = diagnose_reranker(RerankCase(target, recipe_of(reranker)))  # type: ignore[arg-type]
    assert (found.faults[0].fault.value if found.faults else found.verdict) == wanted, found


def test_a_folder_is_scored_by_another_copy_of_its_checkpoint(reranker: Path, tmp_path: Path) -> None:
    copy = tmp_path / "publisher"
    shutil.copytree(reranker, copy)
    found = examine(Request(str(reranker), "qwen3-reranker-0.6b", reference=copy))
    (fault,) = found.faults  # its random values are not those that were published
    assert (fault.fault.value, fault.sure.name) == ("unlike-published", "LIKELY")
    assert "the reference itself" in fault.what
    assert found.cost is not None
    assert (found.cost.lost, found.cost.won) == (0, 0)
    assert "right scores" in found.checks
    with pytest.raises(UsageError, match="the examined folder itself"):
        examine(Request(str(reranker), "qwen3-reranker-0.6b", reference=reranker))
