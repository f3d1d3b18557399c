"""A service over the models of other servers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from steelyard.engines.packages import installed
from steelyard.engines.remote.endpoint import BYTES_A_TEXT, LEAST_BYTES, Endpoint, EndpointLimits
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError
from steelyard.models.recipe import Recipe
from steelyard.models.registry import recipe_called
from steelyard.serving.gateway.cache import VectorLru
from steelyard.serving.gateway.fit import Fitter
from steelyard.serving.gateway.models import RemoteEmbedder, RemoteReranker
from steelyard.serving.gateway.names import Remote
from steelyard.serving.gateway.upstream import Upstream, UpstreamClient
from steelyard.serving.gateway.upstreams import Retries, Upstreams
from steelyard.serving.keys import Keys
from steelyard.serving.metrics import Metrics
from steelyard.serving.models import Wanted, codec_of, tokenizer_of
from steelyard.serving.service import Service
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.tokens import Codec, NoCodec
from steelyard.wire.embeddings import MODELS_PATH, Kind, listed_models

_LIST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What the gateway does with its upstreams.

    Attributes:
        urls: where they are; a model is asked of those that list it.
        key: sent to all of them.
        cache_bytes: memory for vectors of earlier texts.
        batch: texts a request at the most.
        token_arrays: ``model``, ``refuse``, or an encoding of tiktoken.
        retries: how long to keep trying.
    """

    urls: tuple[str, ...]
    key: str | None = None
    cache_bytes: int = 256 << 20
    batch: int = 32
    token_arrays: str = "model"  # noqa: S105 - not a secret
    retries: Retries = field(default_factory=Retries)


class GatewayHost:
    """Holds the connections."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams

    @property
    def waiting(self) -> tuple[int, int]:
        """(requests under way, 0): what waits, waits at the upstreams."""
        return self._upstreams.inside, 0

    def start(self) -> None:
        """Nothing to load."""
        return

    async def stop(self) -> None:
        """Closes the connections."""
        await self._upstreams.client.close()

    async def ready(self) -> str | None:
        """None when any upstream answers."""
        return None if await self._upstreams.alive() else "no upstream answers"


def gateway_service(
    wanted: Sequence[Wanted],
    config: GatewayConfig,
    limits: Limits,
    behaviour: Behaviour,
    keys: Keys | None = None,
) -> Service:
    """The models ``wanted``, or, when none are named, all that the upstreams list.

    Raises:
        EndpointError: no models are named and no upstream lists any.
    """
    metrics = Metrics()
    members = [Upstream.read(url, config.key) for url in config.urls]
    client = UpstreamClient(metrics, LEAST_BYTES + config.batch * BYTES_A_TEXT)
    upstreams = Upstreams(members, client, config.retries, limits.queue_requests)
    remotes = [r for one in wanted for r in _named(one, config)] or discover(members, config)
    cache = VectorLru(config.cache_bytes)
    embedders = {
        r.name: RemoteEmbedder(
            r, upstreams, cache, metrics, _codec(r.recipe, config), _fitter(r.recipe) if r.recipe else None
        )
        for r in remotes
        if r.kind == "embedding"
    }
    rerankers = {r.name: RemoteReranker(r, upstreams) for r in remotes if r.kind == "reranker"}
    return Service(GatewayHost(upstreams), embedders, rerankers, limits, behaviour, keys, metrics)


def discover(members: Sequence[Upstream], config: GatewayConfig) -> list[Remote]:
    """Every model that any upstream lists; with its recipe where its name means one.

    Raises:
        EndpointError: none of them lists any.
    """
    found: dict[str, Remote] = {}
    for member in members:
        for name, kind in _ask_models(member).items():
            recipe = recipe_called(name)
            found[name] = Remote(name, recipe, None, config.batch, kind)
    if not found:
        shown = ", ".join(m.shown for m in members)
        raise EndpointError(f"{shown}: no list of models at /models; name the models, steelyard serve RECIPE=ITS_NAME")
    return list(found.values())


def _codec(recipe: Recipe | None, config: GatewayConfig) -> Codec:
    if recipe is None:
        return NoCodec("the gateway does not know the tokenizer of this model")
    return codec_of(recipe, config.token_arrays)


def _fitter(recipe: Recipe) -> Fitter | None:
    path = tokenizer_of(recipe) if recipe.max_tokens and installed("tokenizers") else None
    return Fitter(recipe, path) if path else None


def _ask_models(member: Upstream) -> dict[str, Kind | None]:
    limits = EndpointLimits(_LIST_SECONDS, 1, retry=RetryPolicy(attempts=1))
    with closing(Endpoint(str(member.base), member.key, limits)) as endpoint, suppress(EndpointError):
        return listed_models(endpoint.get(MODELS_PATH))
    return {}


def _named(wanted: Wanted, config: GatewayConfig) -> list[Remote]:
    names: list[str] = [wanted.recipe.name, *([wanted.name] if wanted.name else [])]
    return [Remote(name, wanted.recipe, wanted.name, config.batch) for name in names]
