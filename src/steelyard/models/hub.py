"""Models brought to this machine: pinned, resumed, checked, and never half there.

A model lives in ``CACHE/REPO/REVISION``. Files are gathered in a folder beside it and the whole is renamed into place
when every file has its digest, so that what can be seen is complete: after kill -9 the next pull goes on where the last
one stopped. One process pulls a model at a time; a second one waits, and then finds it there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.errors import WeightsError
from steelyard.models.download import Progress, digest_of, download
from steelyard.models.recipe import Recipe
from steelyard.models.remote import Hub, HubName, Listing, RemoteFile, hub_of, needed

if TYPE_CHECKING:
    import httpx

MANIFEST = "steelyard.json"
_MARGIN = 64 << 20


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one revision of a repository goes."""

    final: Path

    @property
    def gathering(self) -> Path:
        return self.final.with_name(self.final.name + ".partial")

    @property
    def lock(self) -> Path:
        return self.final.with_name(self.final.name + ".lock")


def default_cache_dir(environment: Mapping[str, str] | None = None) -> Path:
    """``$STEELYARD_CACHE/models``, else ``$XDG_CACHE_HOME/steelyard/models``, else ``~/.cache/steelyard/models``."""
    env = os.environ if environment is None else environment
    own = env.get("STEELYARD_CACHE")
    base = Path(own) if own else Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steelyard"
    return base / "models"


def find(recipe: Recipe, cache_dir: Path | None = None, environment: Mapping[str, str] | None = None) -> Path | None:
    """The folder of a model that is whole on this machine; None where there is none.

    Looks into Steelyard's cache, then into the one of the Hugging Face libraries (pinned revision only). No network.
    """
    env = os.environ if environment is None else environment
    for hub in _hubs(recipe, env):
        final = _place(hub, cache_dir or default_cache_dir(env)).final
        if (final / MANIFEST).is_file():
            return final
    return _in_huggingface_cache(recipe, env)


def pull(
    recipe: Recipe,
    cache_dir: Path | None = None,
    *,
    hub: Hub | HubName | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """The folder of a model, downloaded if it is not there.

    Args:
        recipe: with ``sources``.
        cache_dir: see :func:`default_cache_dir`.
        hub: which hub; None for the recipe's first.
        offline: never touch the network; ``HF_HUB_OFFLINE=1`` says the same.
        progress: told of every block that arrives.
        environment: where ``HF_ENDPOINT`` and the like are read; the process's own when None.

    Raises:
        WeightsError: offline and not there; no such revision; not enough room; content that is not what the hub says.
        EndpointError: the hub cannot be reached.
        RecipeError: the recipe is on no hub.
    """
    import httpx

    env = os.environ if environment is None else environment
    found = find(recipe, cache_dir, env)
    if found:
        return found
    if offline or env.get("HF_HUB_OFFLINE") == "1":
        raise WeightsError(f"{recipe.name} is not on this machine and this is offline; pull it once with a network")
    source = hub_of(recipe, hub, env) if hub is None or isinstance(hub, str) else hub
    place = _place(source, cache_dir or default_cache_dir(env))
    place.final.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.lock):
        if not (place.final / MANIFEST).is_file():
            with httpx.Client(timeout=httpx.Timeout(60, connect=15)) as client:
                _gather(recipe, source, place, client, progress or (lambda path, have, size: None))
    return place.final


def verify(folder: Path) -> tuple[str, ...]:
    """Paths of a pulled model whose content is no longer what the hub named; reads every byte.

    Raises:
        WeightsError: the folder was not pulled by :func:`pull`.
    """
    try:
        files: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError) as wrong:
        raise WeightsError(
            f"{folder}: not pulled by steelyard, so nothing says what it should hold ({wrong})"
        ) from None
    return tuple(path for path, digest in sorted(files.items()) if not _same(folder / path, digest))


def _gather(recipe: Recipe, hub: Hub, place: _Place, client: httpx.Client, progress: Progress) -> None:
    listing = hub.listing(client)
    files = needed(listing, recipe)
    folder = place.gathering
    folder.mkdir(exist_ok=True)
    _check_room(folder, files)
    for file in files:
        download(file, folder / file.path, client, hub.headers, progress)
    _write_manifest(folder, hub, listing, files)
    if place.final.exists():
        shutil.rmtree(place.final)
    folder.rename(place.final)


def _check_room(folder: Path, files: tuple[RemoteFile, ...]) -> None:
    here = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    wanted = sum(f.size for f in files) - here + _MARGIN
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise WeightsError(
            f"{folder}: {wanted / 1e9:.1f} GB are still to come and {free / 1e9:.1f} GB are free; make room, or set "
            "STEELYARD_CACHE to a folder on another disk"
        )


def _write_manifest(folder: Path, hub: Hub, listing: Listing, files: tuple[RemoteFile, ...]) -> None:
    digests = {f.path: f.digest or digest_of(folder / f.path, "sha256") for f in files}
    manifest = {"hub": hub.name, "repo": hub.repo, "revision": hub.revision, "commit": listing.commit, "files": digests}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")


def _same(path: Path, digest: str) -> bool:
    return path.is_file() and digest_of(path, digest.partition(":")[0]) == digest


def _hubs(recipe: Recipe, env: Mapping[str, str]) -> list[Hub]:
    names: tuple[HubName, ...] = ("huggingface", "modelscope")
    return [hub_of(recipe, n, env) for n in names if getattr(recipe.sources, n)]


def _place(hub: Hub, cache_dir: Path) -> _Place:
    return _Place(cache_dir / hub.repo.replace("/", "--") / hub.revision.replace("/", "--"))


def _in_huggingface_cache(recipe: Recipe, env: Mapping[str, str]) -> Path | None:
    sources = recipe.sources
    if not sources.huggingface or not sources.huggingface_revision:
        return None
    home = Path(env.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(env.get("HF_HUB_CACHE") or home / "hub")
    folder = cache / f"models--{sources.huggingface.replace('/', '--')}" / "snapshots" / sources.huggingface_revision
    whole = (folder / "config.json").exists() and (folder / "tokenizer.json").exists()
    return folder if whole and any(folder.glob("*.safetensors")) else None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds an exclusive lock that the system frees when the process ends, however it ends."""
    with path.open("a+b") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # Windows
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
        yield
