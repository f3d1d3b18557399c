"""Public services that speak OpenAI's embeddings API, by a short name: where they are, and the variable of their key.

Sources: the services' own pages on their OpenAI-compatible interfaces: help.aliyun.com/en/model-studio,
docs.bigmodel.cn, docs.siliconflow.cn, platform.openai.com, jina.ai/embeddings, docs.voyageai.com,
docs.cohere.com/docs/compatibility-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from steelyard.errors import UsageError

GENERAL: Final = "STEELYARD_API_KEY"
"""Holds a key for any server."""
VARIABLES: Final = "STEELYARD_KEY_VARIABLES"
"""``host=VARIABLE`` pairs separated by commas: which variable holds the key of which server."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One service.

    Attributes:
        url: where its API begins.
        variable: of the environment, that holds the key.
        batch: texts that it takes in a request at the most.
        example: one of its models.
    """

    url: str
    variable: str
    batch: int
    example: str


PRESETS: Final[Mapping[str, Preset]] = {
    "dashscope": Preset(
        "https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", 10, "text-embedding-v4"
    ),
    "zhipu": Preset("https://open.bigmodel.cn/api/paas/v4", "ZHIPUAI_API_KEY", 64, "embedding-3"),
    "siliconflow": Preset("https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY", 32, "BAAI/bge-m3"),
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", 64, "text-embedding-3-small"),
    "jina": Preset("https://api.jina.ai/v1", "JINA_API_KEY", 64, "jina-embeddings-v3"),
    "cohere": Preset("https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", 64, "embed-v4.0"),
    "voyage": Preset("https://api.voyageai.com/v1", "VOYAGE_API_KEY", 64, "voyage-3.5"),
}


def preset_url(name: str) -> str:
    """The URL of a service.

    Raises:
        UsageError: there is none of that name.
    """
    found = PRESETS.get(name.casefold())
    if found is None:
        close = get_close_matches(name.casefold(), PRESETS, n=1, cutoff=0.8)
        hint = f"did you mean {close[0]}? " if close else ""
        known = f"known are {', '.join(PRESETS)}; else write its URL, with http:// or https://"
        raise UsageError(f"no service is called {name!r}; {hint}{known}")
    return found.url


def preset_at(url: str) -> Preset | None:
    """The service whose host a URL names; None for any other."""
    host = _server(url)[1]
    return next((p for p in PRESETS.values() if urlsplit(p.url).hostname == host), None)


def key_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The key for a server, from the environment; None where none is set.

    The variable that ``STEELYARD_KEY_VARIABLES`` names for the host comes first, then the service's own, then
    ``STEELYARD_API_KEY``, then ``OPENAI_API_KEY`` for every server that is not another known service: its key is not
    shown to another company.

    Raises:
        UsageError: a variable that was named for this host is not set, or the key of a known service is nowhere.
    """
    preset, named = preset_at(url), _named(url, environment)
    if named:
        if not environment.get(named):
            raise UsageError(f"the key for {_server(url)[0]} is to be in the variable {named}, which is not set")
        return environment[named]
    order = [preset.variable, GENERAL] if preset else [GENERAL, PRESETS["openai"].variable]
    key = next((environment[v] for v in order if environment.get(v)), None)
    if preset and not key:
        raise UsageError(f"{_server(url)[1]} asks for a key: export {preset.variable}=YOUR_KEY")
    return key


def _named(url: str, environment: Mapping[str, str]) -> str:
    netloc, host_name = _server(url)
    pairs = (p.partition("=") for p in environment.get(VARIABLES, "").split(",") if "=" in p)
    known = {host.strip().casefold(): variable.strip() for host, _, variable in pairs}
    return known.get(netloc) or known.get(host_name) or ""


def _server(url: str) -> tuple[str, str]:
    """(host and port, host) that a URL names; empty where it is no URL, which the endpoint refuses in words."""
    try:
        parts = urlsplit(url)
        return parts.netloc.rpartition("@")[2].casefold(), (parts.hostname or "").casefold()
    except ValueError:
        return "", ""
