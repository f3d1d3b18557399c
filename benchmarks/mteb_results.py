"""Runs mteb offline: built-in models on tasks made of zh-traps, one a category; the folder is what mteb itself writes.

    python benchmarks/mteb_results.py FOLDER

`tests/bench/mteb_results` was made so; `steelyard compare mteb:FOLDER` reads it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import mteb
import numpy as np
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.model_meta import ModelMeta

from steelyard.engines.load import open_encoder
from steelyard.engines.protocol import Encoder
from steelyard.models.registry import load_recipe
from steelyard.suites.registry import open_suite
from steelyard.types import Role

MODELS = ("e5-small", "use-multilingual")


class BuiltIn:
    """An encoder of ours as mteb wants one."""

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.encoder = encoder
        named = {"name": f"steelyard/{name}", "revision": "built-in", "loader": None}
        self.mteb_model_meta = ModelMeta.create_empty(named)

    def encode(self, inputs: Any, *, prompt_type: Any = None, **rest: Any) -> Any:
        texts = [text for batch in inputs for text in batch["text"]]
        role = Role.QUERY if str(getattr(prompt_type, "value", prompt_type)) == "query" else Role.DOCUMENT
        return self.encoder.encode(texts, role)

    def similarity(self, one: Any, other: Any) -> Any:
        import torch

        return torch.from_numpy(np.asarray(one) @ np.asarray(other).T)

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        import torch

        return torch.from_numpy((np.asarray(one) * np.asarray(other)).sum(axis=1))


def tasks() -> Iterator[AbsTaskRetrieval]:
    suite = open_suite("zh-traps")
    texts = {d.id: d.text for d in suite.documents}
    for category in sorted({q.category or "" for q in suite.queries}):
        queries = [q for q in suite.queries if q.category == category]
        documents = [d for q in queries for d in suite.traps[q.id]]
        relevant = {q.id: {d: g for d, g in suite.judgements[q.id].items() if g} for q in queries}
        yield _task(
            f"ZhTraps{category.title().replace('-', '')}",
            datasets.Dataset.from_list([{"id": q.id, "text": q.text} for q in queries]),
            datasets.Dataset.from_list([{"id": d, "title": "", "text": texts[d]} for d in documents]),
            relevant,
        )


def _task(name: str, queries: Any, corpus: Any, relevant: Any) -> AbsTaskRetrieval:
    class Task(AbsTaskRetrieval):  # type: ignore[misc]
        metadata = TaskMetadata(
            name=name,
            description="One category of zh-traps.",
            dataset={"path": "offline/zh-traps", "revision": "1.0.0"},
            type="Retrieval",
            category="t2t",
            eval_langs=["cmn-Hans"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *args: Any, **kwargs: Any) -> None:
            split = {"corpus": corpus, "queries": queries, "relevant_docs": relevant, "top_ranked": None}
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    return Task()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, default=8, help="categories, in the order of their names")
    asked = parser.parse_args(arguments)
    folder, made = asked.folder, list(tasks())[: asked.tasks]
    cache = mteb.ResultCache(cache_path=folder)
    for name in MODELS:
        model = BuiltIn(name, open_encoder(load_recipe(name)))
        mteb.evaluate(model, made, cache=cache, prediction_folder=folder / "predictions" / name, co2_tracker=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
