"""From the state of one token to the probability that a document answers its query.

Shapes: ``n`` documents, ``h`` hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from steelyard.engines.checkpoint.layout import QWEN3_ANCHOR
from steelyard.engines.checkpoint.shape import Shape
from steelyard.engines.torch.weights import Checkpoint
from steelyard.errors import WeightsError


class YesNo:
    """Softmax over the logits of two tokens, which is the sigmoid of their difference.

    Args:
        checkpoint: holds ``lm_head.weight``, or the embedding table where the two are one.
        shape: sizes of the trunk.
        yes: id of the token that says it does.
        no: id of the token that says it does not.

    Raises:
        WeightsError: the output table has another shape.
    """

    def __init__(self, checkpoint: Checkpoint, shape: Shape, yes: int, no: int) -> None:
        name = "lm_head.weight" if "lm_head.weight" in checkpoint else checkpoint.root(QWEN3_ANCHOR) + QWEN3_ANCHOR
        checkpoint.expect({name: (shape.vocabulary, shape.hidden)})
        if not yes or not no or max(yes, no) >= shape.vocabulary:
            raise WeightsError(f"{name} has {shape.vocabulary} rows, so tokens {yes} and {no} are not both in it")
        table = checkpoint.tensor(name)
        self._direction = table[yes].float() - table[no].float()

    @torch.inference_mode()
    def __call__(self, states: Tensor) -> Tensor:
        """float32[n] from float32[n, h]."""
        return torch.sigmoid(states @ self._direction)


class Classifier:
    """RoBERTa's classification head with one label: dense, tanh, one number; its sigmoid.

    Args:
        checkpoint: holds ``classifier.dense`` and ``classifier.out_proj``.
        shape: sizes of the trunk.

    Raises:
        WeightsError: the head is missing, or has more labels.
    """

    def __init__(self, checkpoint: Checkpoint, shape: Shape) -> None:
        h = shape.hidden
        shapes: dict[str, tuple[int, ...]] = {
            "classifier.dense.weight": (h, h),
            "classifier.dense.bias": (h,),
            "classifier.out_proj.weight": (1, h),
            "classifier.out_proj.bias": (1,),
        }
        checkpoint.expect(shapes)
        self._inner, self._inner_bias, self._out, self._out_bias = map(checkpoint.copy, shapes)

    @torch.inference_mode()
    def __call__(self, states: Tensor) -> Tensor:
        """float32[n] from float32[n, h]."""
        inner = torch.tanh(linear(states, self._inner, self._inner_bias))
        return torch.sigmoid(linear(inner, self._out, self._out_bias))[:, 0]
