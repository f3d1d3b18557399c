"""The door to OpenVINO: what :mod:`steelyard.engines.load` names for each backend. OpenVINO is not imported."""

from __future__ import annotations

from steelyard.engines.openvino.config import OpenVinoConfig
from steelyard.engines.openvino.encoder import OpenVinoEncoder
from steelyard.models.recipe import Recipe


def encoder(recipe: Recipe) -> OpenVinoEncoder:
    """With weights in int8, multiplied in fp32."""
    return OpenVinoEncoder(recipe)


def encoder_bf16(recipe: Recipe) -> OpenVinoEncoder:
    """With weights in int8, multiplied in bf16 where the processor has instructions for it, else in fp32."""
    return OpenVinoEncoder(recipe, OpenVinoConfig(multiply="bf16"))


def encoder_fp32(recipe: Recipe) -> OpenVinoEncoder:
    """With weights in fp32: what int8 is compared with."""
    return OpenVinoEncoder(recipe, OpenVinoConfig("fp32"))
