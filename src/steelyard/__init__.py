"""Weighs, diagnoses and serves semantic search over Chinese and multilingual texts.

The public face: the names of ``__all__``, imported when first used. ``import steelyard`` executes nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steelyard.bench.evaluation.judgement import judge
    from steelyard.bench.evaluation.result import Result
    from steelyard.bench.evaluation.result import load as load_result
    from steelyard.bench.evaluation.runner import WeighConfig, weigh
    from steelyard.errors import SteelyardError
    from steelyard.models.recipe import Recipe
    from steelyard.models.registry import load_recipe
    from steelyard.retrieval.resolve import read_systems
    from steelyard.suites.registry import open_suite
    from steelyard.suites.suite import Suite
    from steelyard.types import Document, Query, Ranking, Role

_HOMES = {
    "Document": "steelyard.types",
    "Query": "steelyard.types",
    "Ranking": "steelyard.types",
    "Recipe": "steelyard.models.recipe",
    "Result": "steelyard.bench.evaluation.result",
    "Role": "steelyard.types",
    "SteelyardError": "steelyard.errors",
    "Suite": "steelyard.suites.suite",
    "WeighConfig": "steelyard.bench.evaluation.runner",
    "judge": "steelyard.bench.evaluation.judgement",
    "load_recipe": "steelyard.models.registry",
    "load_result": "steelyard.bench.evaluation.result:load",
    "open_suite": "steelyard.suites.registry",
    "read_systems": "steelyard.retrieval.resolve",
    "weigh": "steelyard.bench.evaluation.runner",
}

__all__ = [
    "Document",
    "Query",
    "Ranking",
    "Recipe",
    "Result",
    "Role",
    "SteelyardError",
    "Suite",
    "WeighConfig",
    "judge",
    "load_recipe",
    "load_result",
    "open_suite",
    "read_systems",
    "weigh",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'steelyard' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, other = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), other or name)


def __dir__() -> list[str]:
    return sorted(__all__)
