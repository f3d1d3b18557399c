"""Servers that tests share."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from serving_kit import Serve, fake_models

from served import serving_app
from steelyard.serving.app import build_app
from steelyard.serving.local_service import local_service
from steelyard.serving.service import Service


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves what it is given until the test is over, and gives its URL."""
    running: list[Any] = []

    def start(service: Service) -> str:
        running.append(serving_app(build_app(service)))
        url: str = running[-1].__enter__()
        return url

    yield start
    for one in reversed(running):
        one.__exit__(None, None, None)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with three fake models."""
    with serving_app(build_app(local_service(fake_models()))) as address:
        yield address


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as client:
        yield client
