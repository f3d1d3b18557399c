"""Loops compiled at run time by llvmlite. Torch is not imported; no folder above this one is either."""
