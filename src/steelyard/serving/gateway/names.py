"""Models behind the gateway, and what each upstream calls them."""

from __future__ import annotations

from dataclasses import dataclass

from steelyard.models.recipe import Recipe
from steelyard.models.registry import is_called
from steelyard.serving.gateway.upstream import Refusal, Upstream
from steelyard.serving.gateway.upstreams import Upstreams
from steelyard.wire.embeddings import Kind, listed_models


@dataclass(frozen=True, slots=True)
class Remote:
    """A model behind the gateway.

    Attributes:
        name: under which the gateway serves it.
        recipe: None where nobody described it: then requests go through as they are.
        upstream_name: its name there, as somebody said; None to look it up in each upstream's list.
        batch: texts a request at the most.
        said_kind: what the upstream says that it is, where it does.
    """

    name: str
    recipe: Recipe | None
    upstream_name: str | None = None
    batch: int = 32
    said_kind: Kind | None = None

    @property
    def kind(self) -> Kind:
        """By the recipe, by what the upstream says, or by the name."""
        guessed: Kind = "reranker" if "rerank" in self.name.lower() else "embedding"
        return self.recipe.kind if self.recipe else self.said_kind or guessed


async def upstream_name(upstreams: Upstreams, upstream: Upstream, remote: Remote) -> str:
    """What an upstream calls a model: as told, as it lists it, or as the hub does.

    Raises:
        Refusal: it lists other models only. Some servers answer for whatever model they have, whichever is asked for,
            so they are not asked.
    """
    if remote.upstream_name is not None:
        return remote.upstream_name
    names: dict[str, str] = upstream.memory.setdefault("names", {})
    if remote.name not in names:
        listed_here = list(listed_models(await upstreams.client.listed(upstream)))
        recipe = remote.recipe
        same = (n for n in listed_here if n == remote.name or (recipe is not None and is_called(n, recipe)))
        found = min(same, key=lambda n: n != remote.name, default=None)
        if found is None and not listed_here:
            return _unlisted(remote)
        if found is None:
            raise Refusal(404, f"lists no {remote.name}; write {remote.name}=ITS_NAME", upstream.shown)
        names[remote.name] = found
    return names[remote.name]


def _unlisted(remote: Remote) -> str:
    if remote.recipe is None or remote.name != remote.recipe.name:
        return remote.name
    return remote.recipe.sources.huggingface or remote.recipe.name
