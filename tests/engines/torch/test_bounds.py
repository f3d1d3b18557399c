"""Memory stays within the weights and the budget: long texts, many texts, and weights that are read shard by shard."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import checkpoints
import numpy as np
import pytest
import safetensors.torch as st
import torch

from steelyard.engines.plan import runs
from steelyard.engines.torch.attention import KeyValue, attend
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.layers import in_slices
from steelyard.engines.torch.precision import Precision
from steelyard.types import Role

LONG = """
import resource, sys
from pathlib import Path
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.models.recipe import Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role
recipe = load_recipe("qwen3-0.6b").model_copy(update={"sources": Sources(folder=sys.argv[1]), "dimension": 32,
    "matryoshka": False})
encoder = TorchEncoder(recipe, TorchConfig(Precision.FP32))
encoder.encode(["short"], Role.DOCUMENT)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = "杆秤" * 6_000
print(encoder.count_tokens([text], Role.DOCUMENT)[0])
print(encoder.encode([text], Role.DOCUMENT).shape[0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_text_takes_no_square_of_memory(tmp_path: Path) -> None:
    checkpoints.qwen3(tmp_path)
    done = subprocess.run([sys.executable, "-c", LONG, str(tmp_path)], capture_output=True, text=True, check=True)
    tokens, rows, grown = map(int, done.stdout.split())
    assert tokens > 11_000
    assert rows == 1
    assert grown < 120_000, f"{grown} kB; a mask of {tokens} by {tokens} alone would be {tokens**2 // 250} kB"


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    checkpoints.bert(tmp_path)
    recipe = checkpoints.recipe("all-minilm-l6-v2", tmp_path, dimension=48)
    whole = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(["a steelyard"], Role.DOCUMENT)
    state = st.load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = {key: f"model-{i % 3}.safetensors" for i, key in enumerate(state)}
    for shard in set(names.values()):
        st.save_file({k: v for k, v in state.items() if names[k] == shard}, tmp_path / shard)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    again = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(["a steelyard"], Role.DOCUMENT)
    np.testing.assert_array_equal(again, whole)


def test_slices_do_not_show() -> None:
    x = torch.randn(10, 3)
    assert in_slices(lambda part: part * 2, x, 4).equal(x * 2)


@pytest.mark.parametrize("length", [5, 1100])
def test_a_prefix_is_seen_whether_by_mask_or_by_padding(length: int) -> None:
    prefix, heads, keys, size = 7, 4, 2, 8
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(prefix + length, heads, size, generator=generator)
    key, value = (torch.randn(prefix + length, keys, size, generator=generator) for _ in range(2))
    whole = attend(query, key, value, runs([prefix + length]), causal=True)[prefix:]
    before = KeyValue(key[:prefix], value[:prefix])
    tail = attend(query[prefix:], key[prefix:], value[prefix:], runs([length]), causal=True, prefix=before)
    torch.testing.assert_close(tail, whole, atol=1e-5, rtol=1e-5)
    assert len(before.cut(3)) == 3
