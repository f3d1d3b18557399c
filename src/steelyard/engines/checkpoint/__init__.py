"""A checkpoint's folder as every engine reads it: its files, sizes, tensors and tokenizer.

Nothing here computes with weights, and torch is not imported, except by :mod:`steelyard.engines.checkpoint.pickled`,
which turns a published pickle into safetensors, and :mod:`steelyard.engines.checkpoint.rounded`, which writes a
checkpoint again in fewer bits.
"""
