"""Packed torch: BERT, XLM-R, GTE and Qwen3 run from their safetensors, without padding and without transformers.

Nothing in this package imports torch before an engine is asked to compute, except the modules that say so by
importing it at their top; :mod:`steelyard.engines.torch.open` is the door.
"""
