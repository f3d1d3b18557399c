"""``steelyard serve``: models behind OpenAI's API, and the reranking APIs of the others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from steelyard.cli.codes import INTERRUPTED
from steelyard.cli.output import console
from steelyard.errors import UsageError
from steelyard.serving.settings import Limits

if TYPE_CHECKING:
    from steelyard.serving.keys import Keys
    from steelyard.serving.service import Service
    from steelyard.serving.settings import Behaviour

DEFAULT_MODELS = ("e5-small",)


@Parameter(name="*")
@dataclass(frozen=True)
class ServeOptions:
    """Where and how to serve.

    Attributes:
        host: address to listen on; anything but this machine's own should come with --keys.
        port: port to listen on; 0 takes a free one.
        backend: engine to run the models on; the best that is installed when left out.
        keys: file of keys, one `NAME KEY` a line; without it everybody who reaches the port may ask.
        allow_host: name under which a server without keys may be asked, beside localhost and IP addresses, such as the
            service's name in Docker; repeat it for several, `*` is any.
        default_input_type: side of a text for which the request does not say one; it decides what plain
            `embeddings.create(model="e5-small", ...)` gives.
        truncate: cut texts that are too long, and say so, instead of refusing them.
        token_arrays: whose ids token arrays are: `model`, `refuse`, or an encoding of tiktoken such as `cl100k_base`.
        batch_seconds: how long one call of an engine should take; a query waits for at most one.
        drain: seconds that requests under way are given when the server is told to stop.
    """

    host: str = "127.0.0.1"
    port: int = 30000
    backend: str | None = None
    keys: Path | None = None
    allow_host: tuple[str, ...] = ()
    default_input_type: Literal["document", "query"] = "document"
    truncate: bool = False
    token_arrays: str = "model"  # noqa: S105 - not a secret
    batch_seconds: float = 0.1
    drain: float = 300.0

    def __post_init__(self) -> None:
        """Refuses a time that cannot pass."""
        if not self.drain >= 0:
            raise UsageError(f"--drain must be 0 or more, not {self.drain}")


@Parameter(name="*")
@dataclass(frozen=True)
class GatewayOptions:
    """What stands behind a gateway.

    Attributes:
        upstream: URL of a server that has the models, such as `http://gpu1:30000/v1`; repeat it for several.
        upstream_batch: texts a request to an upstream at the most.
        cache_mb: memory for vectors of texts that were asked for before; 0 keeps none.
    """

    upstream: tuple[str, ...] = ()
    upstream_batch: int = 32
    cache_mb: int = 256


def serve(
    *models: str,
    options: ServeOptions | None = None,
    gateway: GatewayOptions | None = None,
    limits: Annotated[Limits | None, Parameter(name="*")] = None,
) -> int:
    """Serve models at /v1/embeddings and /v1/rerank, for the `openai` client and others, until SIGTERM.

    Without MODELS the built-in e5-small is served, with nothing to download.

    - `qwen3-0.6b` is a model of `steelyard models`
    - `maxsim:e5-small` reranks by that model's token vectors, with nothing to download
    - `e5-small=text-embedding-3-small` serves it under a second name, for clients that insist on one

    The server puts the model's own templates on: send `input_type` (`query` or `document`) with each request, or ask
    for the model `NAME:query`.

    With `--upstream` nothing is computed here: the same API stands in front of SGLang, vLLM, TEI, Ollama or any
    OpenAI-compatible server, with templates, dimensions and rerank shapes put right. `RECIPE=NAME` then says what the
    upstream calls the model; without MODELS everything that the upstreams list is served. A key for them is taken from
    STEELYARD_API_KEY or OPENAI_API_KEY.

    Args:
        models: what to serve.
    """
    from steelyard.engines.packages import require

    for module in ("fastapi", "uvicorn", "httptools", "pybase64", "prometheus_client"):
        require(module, "steelyard serve", "serve")
    from steelyard.serving.app import build_app
    from steelyard.serving.run import Address, listen, serve_app

    options, limits, gateway = options or ServeOptions(), limits or Limits(), gateway or GatewayOptions()
    service = _gateway(models, options, gateway, limits) if gateway.upstream else _local(models, options, limits)
    with listen(Address(options.host, options.port)) as sock:
        service.host.start()
        _announce(service, options, sock.getsockname()[1])
        in_order = serve_app(build_app(service), sock, options.drain)
    return 0 if in_order else INTERRUPTED


def _local(models: tuple[str, ...], options: ServeOptions, limits: Limits) -> Service:
    from steelyard.engines.backend_choice import chosen
    from steelyard.serving.local_service import local_service
    from steelyard.serving.models import Wanted, open_models

    wanted = [Wanted.read(m) for m in models or DEFAULT_MODELS]
    loaded = open_models(wanted, options.backend, options.token_arrays)
    for line in dict.fromkeys(str(chosen(m.engine, m.recipe, options.backend)) for m in loaded.values()):
        console(stderr=True).print(line, markup=False, soft_wrap=True)
    return local_service(loaded, limits, _behaviour(options), _keys(options))


def _gateway(models: tuple[str, ...], options: ServeOptions, gateway: GatewayOptions, limits: Limits) -> Service:
    from steelyard.engines.remote.presets import key_for
    from steelyard.serving.gateway.service import GatewayConfig, gateway_service
    from steelyard.serving.models import Wanted

    config = GatewayConfig(
        urls=gateway.upstream,
        key=key_for(gateway.upstream[0], os.environ),
        cache_bytes=gateway.cache_mb << 20,
        batch=gateway.upstream_batch,
        token_arrays=options.token_arrays,
    )
    return gateway_service([Wanted.read(m) for m in models], config, limits, _behaviour(options), _keys(options))


def _keys(options: ServeOptions) -> Keys | None:
    from steelyard.serving.keys import Keys

    return Keys.read(options.keys) if options.keys else None


def _behaviour(options: ServeOptions) -> Behaviour:
    from steelyard.serving.settings import Behaviour
    from steelyard.types import Role

    hosts = frozenset(name.lower() for name in (*options.allow_host, options.host))
    return Behaviour(Role(options.default_input_type), options.truncate, options.batch_seconds, hosts)


def _announce(service: Service, options: ServeOptions, port: int) -> None:
    from steelyard.serving.run import Address, written

    err = console(stderr=True)
    for name, card in service.cards.items():
        size = f", {card.dimension} dimensions" if card.dimension else ""
        err.print(f"{name}: {card.kind} on {card.backend}{size}", markup=False)
        if card.names:
            said = f"ask for {card.names.query} or {card.names.document}; {name} alone is {card.default_input_type}"
            err.print(f"  {said} (--default-input-type)", markup=False)
    if options.keys is None and options.host not in ("127.0.0.1", "::1", "localhost"):
        err.print(f"anyone who reaches {options.host} may use this server; --keys FILE asks for a key", markup=False)
    err.print(f"http://{written(Address(options.host, port))}/v1   (API page: /docs, metrics: /metrics)", markup=False)
