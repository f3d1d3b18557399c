"""The command that starts a server for a model, from data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from steelyard.errors import UsageError
from steelyard.models.recipe import Recipe

SERVERS = ("sglang", "vllm")
_TEMPLATE = "qwen3_reranker.jinja"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started.

    Attributes:
        server: ``sglang`` or ``vllm``.
        command: program and arguments.
        port: where it will listen.
        why: what the options are for, in a few words.
        model: the checkpoint, which is also the name it is served under.
    """

    server: str
    command: tuple[str, ...]
    port: int
    why: str
    model: str


def launch_of(server: str, recipe: Recipe, port: int, checkpoint: str | None = None) -> Launch:
    """The command for a recipe.

    Args:
        server: one of :data:`SERVERS`.
        recipe: what to serve.
        port: where to listen.
        checkpoint: a folder or a hub's name; when None the recipe's own folder, or its name on Hugging Face.

    Raises:
        UsageError: no such server or port, or it is not known to run this model.
    """
    if server not in SERVERS:
        raise UsageError(f"no launch line for {server!r}; there is {' and '.join(SERVERS)}")
    if not 0 < port < 1 << 16:
        raise UsageError(f"--port must be from 1 to 65535, not {port}")
    model = checkpoint or recipe.sources.folder or recipe.sources.huggingface
    if model is None:
        raise UsageError(f"{recipe.name} has no checkpoint that {server} could load; give one with --checkpoint")
    entry = next((e for e in _entries(server) if _fits(e, recipe)), None)
    if entry is None:
        raise UsageError(f"no launch line of {server} is known for {recipe.name} ({recipe.architecture})")
    if "refuse" in entry:
        raise UsageError(f"{server} cannot serve {recipe.name}: {entry['refuse']}")
    words = {"{model}": model, "{port}": str(port), "{template}": str(template_path())}
    command = tuple(words.get(word, word) for word in entry["command"])
    return Launch(server, command, port, entry["why"], model)


def template_path() -> Path:
    """The reranker template as a file that another program can read."""
    return Path(str(resources.files("steelyard.serving.launch").joinpath(_TEMPLATE)))


def _entries(server: str) -> list[dict[str, Any]]:
    text = resources.files("steelyard.serving.launch").joinpath("commands.toml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = tomllib.loads(text)[server]
    return entries


def _fits(entry: Mapping[str, Any], recipe: Recipe) -> bool:
    return (
        entry["kind"] == recipe.kind
        and entry["architecture"] == recipe.architecture
        and entry.get("head", recipe.heads[0]) in recipe.heads
        and entry.get("pooling", recipe.pooling) == recipe.pooling
    )
