"""Checkpoints that tests of the doctor share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "engines"))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 embedding folder with random values and the published tokenizer's steps."""
    from planted import write_qwen3

    return write_qwen3(tmp_path_factory.mktemp("qwen3-embedding"))


@pytest.fixture(scope="session")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 reranker with random values."""
    import checkpoints

    folder = tmp_path_factory.mktemp("qwen3-reranker")
    checkpoints.qwen3_judge(folder)
    return folder


@pytest.fixture(scope="session")
def e5(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """multilingual-e5-small, rebuilt from its package."""
    from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint

    folder = write_e5_checkpoint(tmp_path_factory.mktemp("multilingual-e5-small"))
    yield folder
    (folder / "model.safetensors").unlink()
