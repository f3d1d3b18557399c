"""The door to packed torch: what :mod:`steelyard.engines.load` names for each backend. Torch is not imported."""

from __future__ import annotations

from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.engines.torch.rerank import TorchReranker
from steelyard.models.recipe import Recipe


def encoder(recipe: Recipe) -> TorchEncoder:
    """In the numbers that suit this machine; ``.choice`` says which and why."""
    return TorchEncoder(recipe)


def encoder_fp32(recipe: Recipe) -> TorchEncoder:
    """In fp32."""
    return TorchEncoder(recipe, TorchConfig(Precision.FP32))


def encoder_bf16(recipe: Recipe) -> TorchEncoder:
    """In bf16."""
    return TorchEncoder(recipe, TorchConfig(Precision.BF16))


def encoder_int16(recipe: Recipe) -> TorchEncoder:
    """With weights and states in 16 bits, on x86-64 with AVX2."""
    return TorchEncoder(recipe, TorchConfig(Precision.INT16))


def encoder_int8(recipe: Recipe) -> TorchEncoder:
    """With weights in int8."""
    return TorchEncoder(recipe, TorchConfig(Precision.INT8))


def reranker(recipe: Recipe) -> TorchReranker:
    """In the numbers that suit this machine; ``.choice`` says which and why."""
    return TorchReranker(recipe)


def reranker_fp32(recipe: Recipe) -> TorchReranker:
    """In fp32."""
    return TorchReranker(recipe, TorchConfig(Precision.FP32))


def reranker_bf16(recipe: Recipe) -> TorchReranker:
    """In bf16."""
    return TorchReranker(recipe, TorchConfig(Precision.BF16))


def reranker_int16(recipe: Recipe) -> TorchReranker:
    """With weights and states in 16 bits, on x86-64 with AVX2."""
    return TorchReranker(recipe, TorchConfig(Precision.INT16))


def reranker_int8(recipe: Recipe) -> TorchReranker:
    """With weights in int8."""
    return TorchReranker(recipe, TorchConfig(Precision.INT8))
