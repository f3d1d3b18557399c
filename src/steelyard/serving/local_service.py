"""A service over models that run in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.engines.protocol import Encoder, Reranker
from steelyard.models.recipe import Recipe
from steelyard.serving.keys import Keys
from steelyard.serving.local import LocalEmbedder, LocalHost, LocalReranker
from steelyard.serving.metrics import Metrics
from steelyard.serving.service import Service
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.tokens import Codec, NoCodec


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with its engine.

    Attributes:
        recipe: what it is.
        engine: an encoder or a reranker, as the recipe's kind says.
        codec: reads token arrays; refuses them when None.
    """

    recipe: Recipe
    engine: Encoder | Reranker
    codec: Codec | None = None


def local_service(
    models: Mapping[str, Loaded],
    limits: Limits | None = None,
    behaviour: Behaviour | None = None,
    keys: Keys | None = None,
) -> Service:
    """Everything an application needs to serve ``models``, by the names under which they are served."""
    limits, behaviour, metrics = limits or Limits(), behaviour or Behaviour(), Metrics()
    encoders = {name: m.engine for name, m in models.items() if isinstance(m.engine, Encoder)}
    rerankers = {name: m.engine for name, m in models.items() if isinstance(m.engine, Reranker)}
    host = LocalHost(encoders, rerankers, limits, behaviour, metrics)
    refuse = NoCodec("this model takes no token arrays")
    return Service(
        host,
        {n: LocalEmbedder(n, models[n].recipe, e, host, models[n].codec or refuse) for n, e in encoders.items()},
        {n: LocalReranker(n, models[n].recipe, r.info, host) for n, r in rerankers.items()},
        limits,
        behaviour,
        keys,
        metrics,
    )
