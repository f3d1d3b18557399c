"""Do Qwen3-Embedding-4B and 8B load and run in this machine's memory, and what do they hold while they do?

    python benchmarks/engine/large.py qwen3-4b:torch-bf16 qwen3-8b:torch-int8 --folder /tmp/steelyard-large

Writes a checkpoint of the published shape with random values in bf16 shards (8 GB for 4B, 15 GB for 8B), runs each
backend in a process of its own and deletes the checkpoint unless told to ``--keep`` it. About 3 minutes for 4B and 6
for 8B on two quiet cores. Needs as much free memory as the weights take in the chosen type, and 2 GB.

Two kinds of memory are told apart, sampled every 50 ms: what the process has made (anonymous) and what it has mapped of
the checkpoint (file), which the system may take back at any time without writing it anywhere. Their sum is the RSS.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import shapes
import tokenizers_for_tests as tokenizers
import torch
from safetensors.torch import save_file

from steelyard.engines.checkpoint.layout import qwen3_shapes
from steelyard.engines.checkpoint.shape import read_shape
from steelyard.engines.load import open_encoder
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role

ROWS = 151_665
"""Rows of the published word tables of 4B and 8B; 0.6B has four more."""
BYTES = {"torch-fp32": 4.0, "torch-bf16": 2.0, "torch-int8": 1.0, "openvino-int8": 1.0}
TEXTS = ["秤", "杆秤是市集上称量货物的老法子", "a balance weighs what it is given and nothing else"]
SHARD = 2 << 30
_BLOCK = 1 << 24


def write(name: str, folder: Path) -> Recipe:
    """A checkpoint in the layout of the published one: shards in bf16, an index that counts the bytes."""
    recipe = load_recipe(name).model_copy(update={"sources": Sources(folder=str(folder))})
    if (folder / "complete").exists():
        return recipe
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(shapes.CONFIGS[name] | {"vocab_size": ROWS}))
    tokenizers.write(tokenizers.qwen3_with_end(), folder)
    state: dict[str, torch.Tensor] = {}
    shards: dict[str, list[str]] = {}
    total = 0
    for key, value in _tensors(folder):
        if state and sum(v.nbytes for v in state.values()) + value.nbytes > SHARD:
            _save(state, folder, shards)
            state = {}
        state[key] = value
        total += value.nbytes
    _save(state, folder, shards)
    names = {key: _named(i, len(shards)) for i, keys in enumerate(shards.values(), 1) for key in keys}
    for i, partial in enumerate(shards, 1):
        (folder / partial).rename(folder / _named(i, len(shards)))
    index = {"metadata": {"total_size": total}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "complete").touch()
    return recipe


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Values out of one block of random numbers, from another place for each tensor: writing is what takes time."""
    block = torch.randn(_BLOCK, generator=torch.Generator().manual_seed(0))
    scaled: dict[int, torch.Tensor] = {}
    for number, (key, size) in enumerate(qwen3_shapes(read_shape(folder, "qwen3")).items()):
        if len(size) == 1:
            yield key, (1 + block[: size[0]] / 20).to(torch.bfloat16)
            continue
        if size[-1] not in scaled:
            scaled[size[-1]] = (block / size[-1] ** 0.5).to(torch.bfloat16)
        small = scaled[size[-1]]
        count, start = size[0] * size[1], number * 7919
        yield key, small.repeat(-(-(start + count) // _BLOCK))[start : start + count].reshape(size)


def _save(state: dict[str, torch.Tensor], folder: Path, shards: dict[str, list[str]]) -> None:
    partial = f"shard-{len(shards) + 1}.partial"
    save_file(state, folder / partial, metadata={"format": "pt"})
    shards[partial] = list(state)


def _named(number: int, count: int) -> str:
    return f"model-{number:05d}-of-{count:05d}.safetensors"


class Watch:
    """The most of each kind of memory that this process has held, in bytes."""

    def __init__(self) -> None:
        self.peak = {"RssAnon": 0, "RssFile": 0, "VmRSS": 0}
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in self.peak:
                    self.peak[name] = max(self.peak[name], int(value.split()[0]) * 1024)


def run(name: str, backend: str, folder: Path) -> dict[str, float]:
    """Loads, encodes, and says what it took."""
    recipe = load_recipe(name).model_copy(update={"sources": Sources(folder=str(folder))})
    with Watch() as watch:
        start = time.perf_counter()
        encoder = open_encoder(recipe, backend)
        encoder.encode(TEXTS[:1], Role.DOCUMENT)
        first = time.perf_counter() - start
        start = time.perf_counter()
        vectors = encoder.encode(TEXTS, Role.DOCUMENT)
        rest = time.perf_counter() - start
    if vectors.shape != (len(TEXTS), recipe.dimension):
        raise SystemExit(f"{name} on {backend}: vectors of shape {vectors.shape}")
    gib = {k: v / 1e9 for k, v in watch.peak.items()}
    return {"first": first, "rest": rest, **gib}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="+", help="MODEL:BACKEND")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-large"))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        name, _, backend = asked.what[0].partition(":")
        sys.stdout.write(json.dumps(run(name, backend, asked.folder / name)) + "\n")
        return
    columns = ["model", "backend", "weights, GB", "first vector, s", f"{len(TEXTS)} texts, s"]
    columns += ["peak made, GB", "peak mapped, GB", "peak RSS, GB", "weights + 1 GB kept"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for what in asked.what:
        name, _, backend = what.partition(":")
        start = time.perf_counter()
        recipe = write(name, asked.folder / name)
        sys.stderr.write(f"{name}: checkpoint there after {time.perf_counter() - start:.0f} s\n")
        command = [sys.executable, "-W", "ignore", __file__, what, "--inside", "--folder", str(asked.folder)]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        weights = recipe.parameters * BYTES[backend] / 1e9
        kept = "yes" if found["VmRSS"] <= weights + 1 else "no"
        row = [name, backend, f"{weights:.2f}", f"{found['first']:.0f}", f"{found['rest']:.1f}"]
        row += [f"{found[k]:.2f}" for k in ("RssAnon", "RssFile", "VmRSS")] + [kept]
        print(f"| {' | '.join(row)} |", flush=True)
        if not asked.keep and name not in "".join(asked.what[asked.what.index(what) + 1 :]):
            shutil.rmtree(asked.folder / name)


if __name__ == "__main__":
    main()
