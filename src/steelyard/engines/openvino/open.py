"""The door to OpenVINO: what :mod:`steelyard.engines.load` names for each backend. OpenVINO is not imported."""

from __future__ import annotations

from steelyard.engines.openvino.config import OpenVinoConfig
from steelyard.engines.openvino.encoder import OpenVinoEncoder
from steelyard.models.recipe import Recipe


def encoder(recipe: Recipe) -> OpenVinoEncoder:
    """With weights in int8."""
    return OpenVinoEncoder(recipe)


def encoder_fp32(recipe: Recipe) -> OpenVinoEncoder:
    """With weights in fp32: what int8 is held against."""
    return OpenVinoEncoder(recipe, OpenVinoConfig("fp32"))
