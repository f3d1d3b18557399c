"""The two hubs that models come from: what files a revision has, and where each is fetched.

Hugging Face: ``GET /api/models/{repo}/revision/{revision}?blobs=true`` and ``GET /{repo}/resolve/{commit}/{path}``.
ModelScope: ``GET /api/v1/models/{repo}/repo/files?Revision=...&Recursive=true`` and
``GET /models/{repo}/resolve/{revision}/{path}``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from steelyard.errors import EndpointError, RecipeError, WeightsError
from steelyard.models.recipe import Recipe
from steelyard.wire.answer import AnswerError
from steelyard.wire.http import IDENTITY, read_bounded

if TYPE_CHECKING:
    import httpx

_LARGEST_LIST = 16 << 20
"""Bytes of a list of files at the most; the largest repositories have some thousand files."""
HubName = Literal["huggingface", "modelscope"]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a revision.

    Attributes:
        path: relative, with forward slashes.
        size: bytes.
        digest: ``sha256:...`` of the content or ``git:...``, its name as a git blob; empty where the hub says neither.
        url: where its bytes are.
    """

    path: str
    size: int
    digest: str
    url: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one commit."""

    commit: str
    files: tuple[RemoteFile, ...]


class Hub(Protocol):
    """Lists what a repository holds."""

    @property
    def name(self) -> HubName:
        """Which hub."""

    @property
    def repo(self) -> str:
        """``owner/name``."""

    @property
    def revision(self) -> str:
        """Commit, tag or branch."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent to the hub and not to where it redirects."""

    def listing(self, client: httpx.Client) -> Listing:
        """The files of the revision.

        Raises:
            WeightsError: no such repository or revision, or the answer makes no sense.
            EndpointError: the hub cannot be reached.
        """


@dataclass(frozen=True, slots=True)
class _Repository:
    """A revision of a repository, at an endpoint that takes a bearer token."""

    repo: str
    revision: str
    endpoint: str = ""
    token: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent to the hub and not to where it redirects."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(frozen=True, slots=True)
class HuggingFace(_Repository):
    """huggingface.co or a mirror of it."""

    endpoint: str = "https://huggingface.co"
    name: HubName = "huggingface"

    def listing(self, client: httpx.Client) -> Listing:
        """See :class:`Hub`."""
        url = f"{self.endpoint}/api/models/{self.repo}/revision/{self.revision}"
        answer = _ask(client, url, {"blobs": "true"}, self)
        try:
            commit = str(answer["sha"])
            files = tuple(self._file(entry, commit) for entry in answer["siblings"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as wrong:
            raise WeightsError(f"{url}: the answer is not a list of files ({wrong!r})") from None
        return Listing(commit, files)

    def _file(self, entry: dict[str, Any], commit: str) -> RemoteFile:
        path, large = str(entry["rfilename"]), entry.get("lfs")
        digest = f"sha256:{large['sha256']}" if large else f"git:{entry['blobId']}" if entry.get("blobId") else ""
        size = int((large or entry).get("size") or 0)
        return RemoteFile(path, size, digest, f"{self.endpoint}/{self.repo}/resolve/{commit}/{path}")


@dataclass(frozen=True, slots=True)
class ModelScope(_Repository):
    """modelscope.cn."""

    endpoint: str = "https://www.modelscope.cn"
    name: HubName = "modelscope"

    def listing(self, client: httpx.Client) -> Listing:
        """See :class:`Hub`; the commit is the latest among the files', or the revision where none is named."""
        url = f"{self.endpoint}/api/v1/models/{self.repo}/repo/files"
        answer = _ask(client, url, {"Revision": self.revision, "Recursive": "true"}, self)
        try:
            entries = [e for e in answer["Data"]["Files"] if e.get("Type") != "tree"]
            files = tuple(self._file(entry) for entry in entries)
            latest: dict[str, Any] = max(entries, key=lambda e: int(e.get("CommittedDate") or 0), default={})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as wrong:
            raise WeightsError(f"{url}: the answer is not a list of files ({wrong!r})") from None
        return Listing(str(latest.get("Revision") or self.revision), files)

    def _file(self, entry: dict[str, Any]) -> RemoteFile:
        path, digest = str(entry["Path"]), entry.get("Sha256")
        url = f"{self.endpoint}/models/{self.repo}/resolve/{self.revision}/{path}"
        return RemoteFile(path, int(entry["Size"]), f"sha256:{digest}" if digest else "", url)


def hub_of(recipe: Recipe, name: HubName | None = None, environment: Mapping[str, str] | None = None) -> Hub:
    """The hub that a recipe names.

    Args:
        recipe: with ``sources``.
        name: which of them; None for Hugging Face where the recipe is there, else ModelScope.
        environment: where ``HF_ENDPOINT``, ``HF_TOKEN``, ``MODELSCOPE_ENDPOINT`` and ``MODELSCOPE_API_TOKEN`` are
            read; the process's own when None.

    Raises:
        RecipeError: the recipe is not on that hub, or on none.
    """
    env = os.environ if environment is None else environment
    sources = recipe.sources
    chosen = name or ("huggingface" if sources.huggingface else "modelscope")
    if chosen == "huggingface" and sources.huggingface:
        endpoint = env.get("HF_ENDPOINT") or "https://huggingface.co"
        revision = sources.huggingface_revision or "main"
        return HuggingFace(sources.huggingface, revision, endpoint.rstrip("/"), env.get("HF_TOKEN", ""))
    if chosen == "modelscope" and sources.modelscope:
        endpoint = env.get("MODELSCOPE_ENDPOINT") or "https://www.modelscope.cn"
        revision = sources.modelscope_revision or "master"
        return ModelScope(sources.modelscope, revision, endpoint.rstrip("/"), env.get("MODELSCOPE_API_TOKEN", ""))
    there = [n for n in ("huggingface", "modelscope") if getattr(sources, n)]
    known = f"it is on {' and '.join(there)}" if there else "its recipe names no hub"
    raise RecipeError(f"{recipe.name} cannot be pulled from {chosen}: {known}")


def needed(listing: Listing, recipe: Recipe) -> tuple[RemoteFile, ...]:
    """The files that running a model takes: configuration, tokenizer, weights and heads; no copies for other engines.

    Raises:
        WeightsError: there are no weights among them, or a path leads out of the folder.
    """
    files = {f.path: f for f in listing.files}
    for path in files:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
            raise WeightsError(f"{recipe.name}: the hub lists {path!r}, which leads out of its folder")
    kept = [f for p, f in files.items() if p.endswith(".json") and not p.startswith(("onnx/", "openvino/", "."))]
    weights = [f for p, f in files.items() if p.endswith(".safetensors") and "/" not in p]
    weights = weights or [f for p, f in files.items() if p == "pytorch_model.bin"]
    if not weights:
        raise WeightsError(f"{recipe.name}: the hub lists no model.safetensors; is the recipe's repository right?")
    heads = [files[f"{h}_linear.pt"] for h in recipe.heads if f"{h}_linear.pt" in files]
    return tuple(sorted((*kept, *weights, *heads), key=lambda f: f.path))


def _ask(client: httpx.Client, url: str, query: Mapping[str, str], hub: Hub) -> Any:
    import httpx

    fix = "Check the network, set HF_ENDPOINT to a mirror, or pull from the other hub"
    headers = {**hub.headers, **IDENTITY}
    try:
        with client.stream("GET", url, params=dict(query), headers=headers, follow_redirects=True) as answer:
            coding = answer.headers.get("Content-Encoding", "")
            content = read_bounded(answer.iter_raw(), coding, _LARGEST_LIST)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as wrong:
        raise EndpointError(f"{url}: {wrong!r}. {fix}") from None
    except AnswerError as wrong:
        raise EndpointError(f"{url}: {wrong.what}. {fix}") from None
    if answer.status_code in (401, 403, 404):
        raise WeightsError(
            f"{url}: status {answer.status_code}; repository {hub.repo} has no revision {hub.revision} that this "
            "account may read"
        )
    if answer.status_code != 200:
        raise EndpointError(f"{url}: status {answer.status_code}. {fix}", answer.status_code)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise WeightsError(f"{url}: the answer is not JSON. {fix}") from None
