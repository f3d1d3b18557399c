"""How the torch engine is to run, and what it then says of itself. Torch is not imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelyard.engines.checkpoint import info
from steelyard.engines.checkpoint.files import digest, weight_files
from steelyard.engines.plan import TOKENS_A_BATCH
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.torch.precision import Choice, Machine, Precision, choose, this_machine
from steelyard.models.recipe import Recipe

_PACKAGES = ("torch", "tokenizers")


@dataclass(frozen=True, slots=True)
class TorchConfig:
    """How to run.

    Attributes:
        precision: None for what :func:`steelyard.engines.torch.precision.choose` says.
        device: ``cpu``, ``cuda`` or what else torch knows.
        budget: tokens a batch at the most; a longer text runs alone.
        share_prefixes: compute what texts have in common at their start once; causal models alone.
    """

    precision: Precision | None = None
    device: str = "cpu"
    budget: int = TOKENS_A_BATCH
    share_prefixes: bool = True


def decide(recipe: Recipe, config: TorchConfig, machine: Machine | None = None) -> Choice:
    """The numbers that a recipe is run in, and why."""
    if config.precision is not None:
        return Choice(config.precision, "asked for")
    return choose(recipe.parameters, machine or this_machine(), config.device, recipe.kind)


def describe(recipe: Recipe, folder: Path, choice: Choice, config: TorchConfig) -> EngineInfo:
    """What an engine says of itself before it loads anything.

    Raises:
        MissingExtraError: torch, safetensors or tokenizers is not installed.
        WeightsError: there are no weights in the folder.
    """
    info.expect_packages((*_PACKAGES, "safetensors"), "the torch engine", "torch")
    made_of = {
        "numbers": [choice.precision, config.device],
        "weights": digest([*weight_files(folder), *folder.glob("tokenizer.json"), *sorted(folder.glob("*_linear.pt"))]),
    }
    return info.describe(recipe, f"torch-{choice.precision}", _PACKAGES, made_of)
