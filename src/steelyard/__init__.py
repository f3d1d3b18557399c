"""Weighs, diagnoses and serves semantic search over Chinese and multilingual texts.

The public face: the names of ``__all__``, imported when first used. ``import steelyard`` executes nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steelyard.api.decide import add_costs, advise, costs, diagnose, serve, sweep, write_report
    from steelyard.api.evaluation import Evaluation, compare_runs, evaluate
    from steelyard.api.models import load_encoder, load_reranker
    from steelyard.bench.evaluation.judgement import judge
    from steelyard.bench.evaluation.result import Result
    from steelyard.bench.evaluation.result import load as load_result
    from steelyard.bench.evaluation.runner import WeighConfig, weigh
    from steelyard.bench.evaluation.sweep import Axes
    from steelyard.errors import SteelyardError
    from steelyard.index.entry import Entry
    from steelyard.index.index import Index
    from steelyard.models.recipe import Recipe
    from steelyard.models.registry import load_recipe
    from steelyard.retrieval.resolve import read_systems
    from steelyard.suites.registry import open_suite
    from steelyard.suites.suite import Suite
    from steelyard.tuning.merge import merge
    from steelyard.types import Document, Query, Ranking, Role

_HOMES = {
    "Axes": "steelyard.bench.evaluation.sweep",
    "Document": "steelyard.types",
    "Entry": "steelyard.index.entry",
    "Evaluation": "steelyard.api.evaluation",
    "Index": "steelyard.index.index",
    "Query": "steelyard.types",
    "Ranking": "steelyard.types",
    "Recipe": "steelyard.models.recipe",
    "Result": "steelyard.bench.evaluation.result",
    "Role": "steelyard.types",
    "SteelyardError": "steelyard.errors",
    "Suite": "steelyard.suites.suite",
    "WeighConfig": "steelyard.bench.evaluation.runner",
    "add_costs": "steelyard.api.decide",
    "advise": "steelyard.api.decide",
    "compare_runs": "steelyard.api.evaluation",
    "costs": "steelyard.api.decide",
    "diagnose": "steelyard.api.decide",
    "evaluate": "steelyard.api.evaluation",
    "judge": "steelyard.bench.evaluation.judgement",
    "load_encoder": "steelyard.api.models",
    "load_recipe": "steelyard.models.registry",
    "load_reranker": "steelyard.api.models",
    "load_result": "steelyard.bench.evaluation.result:load",
    "merge": "steelyard.tuning.merge",
    "open_suite": "steelyard.suites.registry",
    "read_systems": "steelyard.retrieval.resolve",
    "serve": "steelyard.api.decide",
    "sweep": "steelyard.api.decide",
    "weigh": "steelyard.bench.evaluation.runner",
    "write_report": "steelyard.api.decide",
}

__all__ = [
    "Axes",
    "Document",
    "Entry",
    "Evaluation",
    "Index",
    "Query",
    "Ranking",
    "Recipe",
    "Result",
    "Role",
    "SteelyardError",
    "Suite",
    "WeighConfig",
    "add_costs",
    "advise",
    "compare_runs",
    "costs",
    "diagnose",
    "evaluate",
    "judge",
    "load_encoder",
    "load_recipe",
    "load_reranker",
    "load_result",
    "merge",
    "open_suite",
    "read_systems",
    "serve",
    "sweep",
    "weigh",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'steelyard' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, other = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), other or name)


def __dir__() -> list[str]:
    return sorted(__all__)
