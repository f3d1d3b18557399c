"""Models opened by name or folder, ready to encode or to score."""

from __future__ import annotations

from pathlib import Path

from steelyard.engines.load import open_encoder, open_reranker
from steelyard.engines.protocol import Encoder, Reranker
from steelyard.errors import UsageError
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe


def load_encoder(model: str | Path, backend: str | None = None) -> Encoder:
    """An embedding model; weights are loaded at the first ``encode(texts, role, instruction=None)``.

    Args:
        model: a name of ``steelyard models``, or a folder.
        backend: one of the recipe's backends; the first that is installed when None.

    Raises:
        RecipeError: no such model, or a folder that is none.
        UsageError: it is a reranker, or does not run on that backend.
        MissingExtraError: its packages are not installed; says the line that installs them.

    Example:
        >>> import steelyard as sy
        >>> sy.load_encoder("use-multilingual").encode(["苹果", "apple"], sy.Role.DOCUMENT).shape
        (2, 512)
    """
    recipe = _recipe(model)
    if recipe.kind != "embedding":
        raise UsageError(f"{model} reranks; open it with sy.load_reranker")
    return open_encoder(recipe, backend)


def load_reranker(model: str | Path, backend: str | None = None) -> Reranker:
    """A reranker; weights are loaded at the first ``score(query, documents, instruction=None)``.

    Args:
        model: a name of ``steelyard models``, a folder, or ``maxsim:MODEL`` for token vectors of an embedding model.
        backend: one of the recipe's backends; the first that is installed when None.

    Raises:
        RecipeError: no such model, or a folder that is none.
        UsageError: it does not rerank.
        MissingExtraError: its packages are not installed; says the line that installs them.
    """
    if str(model).startswith("maxsim:"):
        from steelyard.retrieval.builder import SystemBuilder
        from steelyard.retrieval.resolve import read_system

        chosen = f"[backend={backend}]" if backend else ""
        return SystemBuilder().reranker(read_system(f"bm25 >> {model}{chosen}").models[-1])
    recipe = _recipe(model)
    if recipe.kind != "reranker":
        raise UsageError(f"{model} does not rerank; open it with sy.load_encoder, or rerank by maxsim:{model}")
    return open_reranker(recipe, backend)


def _recipe(model: str | Path) -> Recipe:
    text = str(model).removeprefix("folder:")
    is_folder = isinstance(model, Path) or text != model or Path(text).is_dir()
    return read_recipe(Path(text)) if is_folder else load_recipe(text)
