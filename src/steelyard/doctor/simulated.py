"""Wrong ways inside a trunk and behind it, which a reference with weights can run to name what a server does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.doctor.finding import Fault
from steelyard.engines.checkpoint.trunk_change import UNCHANGED, SimulatedPooling, TrunkChange
from steelyard.models.recipe import Recipe

PART: tuple[int, ...] = (0, 3, 6, 9, 12, 15)
"""Places of the queries, and of the documents, that are run in these ways; all would make golden files large."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """One way.

    Attributes:
        fault: what it is.
        change: of the trunk.
        pooling: None for the recipe's.
        only: architectures that it is known of; empty for all that can be simulated.
    """

    fault: Fault
    change: TrunkChange = UNCHANGED
    pooling: SimulatedPooling | None = None
    only: tuple[str, ...] = ()


_C, _TWO_WAY = TrunkChange, ("bert", "xlm-roberta")
SIMULATED: Mapping[str, Simulated] = {
    "layers_1": Simulated(Fault.LAYERS, _C(dropped=1)),
    "layers_2": Simulated(Fault.LAYERS, _C(dropped=2)),
    "layers_3": Simulated(Fault.LAYERS, _C(dropped=3)),
    "layers_half": Simulated(Fault.LAYERS, _C(dropped=-1)),
    "layer_first": Simulated(Fault.LAYERS, _C(skipped=0)),
    "relu": Simulated(Fault.ACTIVATION, _C(activation="relu")),
    "silu": Simulated(Fault.ACTIVATION, _C(activation="silu"), only=_TWO_WAY),
    "gelu": Simulated(Fault.ACTIVATION, _C(activation="gelu"), only=("qwen3",)),
    "gelu_tanh": Simulated(Fault.ACTIVATION, _C(activation="gelu-tanh"), only=_TWO_WAY),
    "shift_1": Simulated(Fault.POSITIONS, _C(shift=1), only=_TWO_WAY),
    "shift_2": Simulated(Fault.POSITIONS, _C(shift=2), only=_TWO_WAY),
    "shift_back": Simulated(Fault.POSITIONS, _C(shift=-2), only=("xlm-roberta",)),
    "no_positions": Simulated(Fault.POSITIONS, _C(positions=False)),
    "theta": Simulated(Fault.POSITIONS, _C(theta=10_000.0), only=("qwen3",)),
    "type_1": Simulated(Fault.SEGMENTS, _C(kind=1), only=("bert",)),
    "no_type": Simulated(Fault.SEGMENTS, _C(kind=None), only=_TWO_WAY),
    "no_embedding_norm": Simulated(Fault.NORMS, _C(embedding_norm=False), only=_TWO_WAY),
    "no_final_norm": Simulated(Fault.NORMS, _C(final_norm=False), only=("qwen3",)),
    "no_head_norms": Simulated(Fault.NORMS, _C(head_norms=False), only=("qwen3",)),
    "eps": Simulated(Fault.NORMS, _C(eps=1e-3)),
    "no_biases": Simulated(Fault.NORMS, _C(biases=False), only=_TWO_WAY),
    "causal": Simulated(Fault.ATTENTION, _C(order="causal"), only=_TWO_WAY),
    "two_way": Simulated(Fault.ATTENTION, _C(order="two-way"), only=("qwen3",)),
    "unscaled": Simulated(Fault.ATTENTION, _C(scaled=False)),
    "pool_max": Simulated(Fault.POOLING, pooling="max"),
    "pool_min": Simulated(Fault.POOLING, pooling="min"),
    "pool_weighted": Simulated(Fault.POOLING, pooling="weighted"),
    "pool_no_specials": Simulated(Fault.POOLING, pooling="no-specials"),
    "pool_second": Simulated(Fault.POOLING, pooling="second"),
    "pool_before_last": Simulated(Fault.POOLING, pooling="before-last"),
    "pool_first_last": Simulated(Fault.POOLING, pooling="first-last"),
    "pool_cls_mean": Simulated(Fault.POOLING, pooling="cls-mean"),
}
"""Each by the key of its sentence in section ``doctor_ways`` of the wording."""


def simulated(recipe: Recipe) -> dict[str, Simulated]:
    """The ways that make sense for a recipe."""
    known = recipe.architecture in ("bert", "xlm-roberta", "qwen3")
    fits = {k: s for k, s in SIMULATED.items() if not s.only or recipe.architecture in s.only}
    return fits if known else {}
