"""Texts before they reach a model: cleaning, segmentation, chunks."""
