"""Another device than the processor: every tensor of a trunk lies there, so that no operator meets two devices.

Torch's ``meta`` device holds shapes without numbers, and refuses, as a GPU does, to be mixed with the processor's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoints
import pytest
import torch

from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.linear import maker
from steelyard.engines.torch.pack import pack
from steelyard.engines.torch.precision import Machine, Precision
from steelyard.engines.torch.runner import Runner
from steelyard.errors import UsageError

ROWS = [[5, 6, 7], [8, 9, 10], [11, 12]]


@pytest.mark.parametrize(
    ("write", "architecture"),
    [
        (checkpoints.bert, "bert"),
        (checkpoints.xlmr, "xlm-roberta"),
        (checkpoints.gte, "new"),
        (checkpoints.qwen3, "qwen3"),
    ],
)
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_a_trunk_stays_on_its_device(
    write: Callable[[Path], Any], architecture: str, precision: Precision, tmp_path: Path
) -> None:
    write(tmp_path)
    runner = Runner(tmp_path, architecture, precision, TorchConfig(precision, device="meta"))
    packed = pack(ROWS, device="meta")
    prefix = runner._prefix([1, 2, 3], keep=False) if architecture == "qwen3" else None
    with torch.inference_mode():
        states = runner._trunk(packed, None, prefix)
        lasts = runner._trunk(packed, packed.lasts, prefix)
    assert states.device.type == lasts.device.type == "meta"
    assert states.shape == (8, runner.shape.hidden)
    assert lasts.shape == (3, runner.shape.hidden)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT16])
def test_whole_numbers_are_refused_elsewhere(precision: Precision) -> None:
    with pytest.raises(UsageError, match="processor alone, not on cuda"):
        maker(precision, Machine(frozenset(), 0), "cuda")
