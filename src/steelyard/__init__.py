"""Weighs, diagnoses and serves semantic search over Chinese and multilingual texts.

The public face: the names of ``__all__``, imported when first used. ``import steelyard`` executes nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steelyard.bench.result import Result
    from steelyard.bench.result import load as load_result
    from steelyard.bench.runner import WeighConfig, read_systems, weigh
    from steelyard.bench.verdict import judge
    from steelyard.errors import SteelyardError
    from steelyard.models.recipe import Recipe
    from steelyard.models.registry import load_recipe
    from steelyard.suites.registry import open_suite
    from steelyard.suites.suite import Suite
    from steelyard.types import Document, Query, Ranking, Role

_HOMES = {
    "Document": "steelyard.types",
    "Query": "steelyard.types",
    "Ranking": "steelyard.types",
    "Recipe": "steelyard.models.recipe",
    "Result": "steelyard.bench.result",
    "Role": "steelyard.types",
    "SteelyardError": "steelyard.errors",
    "Suite": "steelyard.suites.suite",
    "WeighConfig": "steelyard.bench.runner",
    "judge": "steelyard.bench.verdict",
    "load_recipe": "steelyard.models.registry",
    "load_result": "steelyard.bench.result:load",
    "open_suite": "steelyard.suites.registry",
    "read_systems": "steelyard.bench.runner",
    "weigh": "steelyard.bench.runner",
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
