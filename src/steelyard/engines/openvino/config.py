"""How the OpenVINO engine is to run, and what it says of itself. OpenVINO is not imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from steelyard.engines.checkpoint import info
from steelyard.engines.checkpoint.files import PICKLE, digest, weight_files
from steelyard.engines.checkpoint.location import locate
from steelyard.engines.packages import installed
from steelyard.engines.plan import TOKENS_A_BATCH
from steelyard.engines.protocol import EngineInfo
from steelyard.errors import WeightsError
from steelyard.models.hub import default_cache_dir, find
from steelyard.models.recipe import Recipe

ARCHITECTURES = ("bert", "xlm-roberta", "qwen3")
EXTRA = "openvino"
_GRAPH = 1
"""Raised whenever the graph that is written changes, so that no graph of an earlier release is read back."""
_PACKAGES = ("openvino", "tokenizers")
Weights = Literal["int8", "fp32"]
Multiply = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class OpenVinoConfig:
    """How to run.

    Attributes:
        weights: ``int8``, a scale for every output channel, or ``fp32``.
        multiply: ``fp32``, which is the same on every processor; or ``bf16``, which is faster where the processor has
            instructions for it and means fp32 elsewhere. OpenVINO would choose for itself: a product would then be
            other numbers on another machine.
        budget: tokens a batch at the most; a longer text runs alone.
        threads: of the processor; None for ``OMP_NUM_THREADS``, else all.
        cache: where finished graphs are kept; None for ``$STEELYARD_CACHE/openvino``.
    """

    weights: Weights = "int8"
    multiply: Multiply = "fp32"
    budget: int = TOKENS_A_BATCH
    threads: int | None = None
    cache: Path | None = None

    def properties(self, environment: Mapping[str, str] | None = None) -> dict[str, object]:
        """What the processor plugin is told.

        A group size of 0 leaves activations as they are: the plugin's own default is 32 where the processor has VNNI or
        AMX, and it then rounds every 32 numbers of a token to 8 bits before it multiplies them with int8 weights.
        """
        given = (os.environ if environment is None else environment).get("OMP_NUM_THREADS", "")
        threads = self.threads or (int(given) if given.isdecimal() else 0)
        hint = "bf16" if self.multiply == "bf16" else "f32"
        asked: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
        asked["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0
        return asked | ({"INFERENCE_NUM_THREADS": threads} if threads else {})


def folder_of(recipe: Recipe) -> Path:
    """The folder that holds a recipe's files.

    Raises:
        WeightsError: it is nowhere, or holds a pickle that only torch can convert.
    """
    found = None if recipe.sources.folder else find(recipe)
    if found and (found / PICKLE).is_file() and not any(found.glob("*.safetensors")) and not installed("torch"):
        raise WeightsError(
            f"{found}: published as a pickle, which is converted once, by torch: pip install 'steelyard[torch]', then "
            f"steelyard models pull {recipe.name}"
        )
    return locate(recipe)


def describe(recipe: Recipe, folder: Path, config: OpenVinoConfig) -> EngineInfo:
    """What an engine says of itself before it loads anything.

    Raises:
        MissingExtraError: openvino, safetensors or tokenizers is not installed.
        WeightsError: there are no weights in the folder.
    """
    info.expect_packages((*_PACKAGES, "safetensors"), "the OpenVINO engine", EXTRA)
    made_of = {
        "graph": graph_name(folder, recipe.architecture or "", config),
        "multiplied in": config.multiply,
        "activations": "whole",
        "tokenizer": digest(folder.glob("tokenizer.json")),
    }
    backend = f"openvino-{config.weights}" + ("-bf16" if config.multiply == "bf16" else "")
    return info.describe(recipe, backend, _PACKAGES, made_of)


def graph_name(folder: Path, architecture: str, config: OpenVinoConfig) -> str:
    """Names a finished graph: changes with the checkpoint, the type of its weights, OpenVINO and this package."""
    files = digest([*weight_files(folder), *folder.glob("config.json")])
    made = f"{architecture}/{config.weights}/{_GRAPH}/openvino {metadata.version('openvino')}/{files}"
    return f"{config.weights}-{hashlib.sha256(made.encode()).hexdigest()[:16]}"


def cache_folder(config: OpenVinoConfig) -> Path:
    """Where finished graphs are kept."""
    return config.cache or default_cache_dir().parent / "openvino"
