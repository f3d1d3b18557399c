"""One thread for tiny models: a second one costs more than it brings, most of all on a busy machine."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
