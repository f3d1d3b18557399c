"""From what a person names (a folder or a URL, perhaps a recipe and a reference) to a diagnosis."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from steelyard.doctor.case import Case
from steelyard.doctor.depth import DEPTHS, Mode
from steelyard.doctor.diagnose import Tell, diagnose
from steelyard.doctor.files import compare_files
from steelyard.doctor.finding import Diagnosis, Fault, in_order
from steelyard.doctor.golden import Golden, read_golden, shipped_golden
from steelyard.doctor.local import FolderTarget, LocalReference, Reference
from steelyard.doctor.record import record, record_folder
from steelyard.doctor.rerankers import FolderReranker, LocalRerankReference, RerankCase, diagnose_reranker
from steelyard.doctor.target import ServerConfig, ServerTarget, Templates, served_models
from steelyard.errors import MissingExtraError, RecipeError, UsageError, WeightsError
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe, parse_recipe, recipe_names


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be examined.

    Attributes:
        target: a folder, or the URL where an OpenAI-compatible API begins.
        recipe: a name of the catalogue or a TOML file; None to find it by the target.
        model: the model's name on the server.
        reference: a golden file, or the folder of the same checkpoint; None for the pulled model where it is there.
        templates: who puts the templates on, for a server.
        key: bearer token.
        longest: tokens of the longest text that is sent.
        mode: how much is asked.
        tell: told before each check.
    """

    target: str
    recipe: str | None = None
    model: str = ""
    reference: Path | None = None
    templates: Templates = "client"
    key: str | None = None
    longest: int = 1024
    mode: Mode = "normal"
    tell: Tell = lambda *_: None

    @property
    def is_url(self) -> bool:
        """Whether the target is a server."""
        return self.target.startswith(("http://", "https://"))


def examine(request: Request) -> Diagnosis:
    """Examines a folder or a server.

    Raises:
        UsageError: the recipe cannot be told by the target.
        RecipeError: the folder or the recipe is none.
        DataError: the golden file is none.
        EndpointError: the server cannot be asked.
    """
    return _server(_with_model(request)) if request.is_url else _folder(request)


def record_golden(request: Request) -> Golden:
    """The vectors of a trusted target, and of a folder those of its known wrong ways.

    Raises:
        UsageError: a reranker, or a folder whose files say something else than the recipe.
    """
    if request.is_url:
        request = _with_model(request)
        return record(_open(request), _embedding(_recipe_of_server(request)))
    claimed = read_recipe(Path(request.target))
    recipe = _embedding(_recipe_of_folder(request, claimed))
    wrong = compare_files(claimed, recipe)
    if wrong:
        mend = "a golden file is recorded from what is right; mend that first"
        raise UsageError(f"{request.target}: {wrong[0].what} ({wrong[0].evidence}); {mend}")
    return record_folder(LocalReference(recipe.model_copy(update={"sources": claimed.sources})), recipe)


def _embedding(recipe: Recipe) -> Recipe:
    if recipe.kind != "embedding":
        raise UsageError(f"{recipe.name} is a reranker; golden files are recorded of embedding models")
    return recipe


def _server(request: Request) -> Diagnosis:
    recipe = _recipe_of_server(request)
    target = _open(request)
    if recipe.kind == "reranker":
        reference = LocalRerankReference(str(request.reference)) if request.reference else None
        return diagnose_reranker(RerankCase(target, recipe, reference, request.longest))
    return diagnose(
        Case(target, recipe, _reference(request, recipe), request.longest, DEPTHS[request.mode]), tell=request.tell
    )


def _folder(request: Request) -> Diagnosis:
    folder = Path(request.target)
    named = _named(request.recipe) if request.recipe else None
    if named is not None and named.kind == "reranker":
        if request.reference is not None:
            _other_folder(request.reference, folder)
        reference = LocalRerankReference(str(request.reference)) if request.reference else None
        return diagnose_reranker(RerankCase(FolderReranker(str(folder), named), named, reference, request.longest))
    claimed = read_recipe(folder)
    recipe = _recipe_of_folder(request, claimed)
    found = compare_files(claimed, recipe)
    by_files = Diagnosis(str(claimed.sources.folder), recipe.name, "", in_order(found), ("files",))
    if any(f.fault is Fault.ANOTHER_MODEL for f in found):
        return by_files
    try:
        target = FolderTarget(claimed)
    except MissingExtraError as wrong:
        if not by_files.faults:
            raise
        return replace(by_files, skipped=(f"vectors: {wrong}",))
    right = _reference(request, recipe, own=folder)
    seen = diagnose(Case(target, recipe, right, request.longest, DEPTHS[request.mode]), found, request.tell)
    return replace(seen, checks=("files", *seen.checks))


def _reference(request: Request, recipe: Recipe, own: Path | None = None) -> Reference | None:
    """Where right vectors come from; never the examined folder itself, which would agree with all that is wrong in it.

    Args:
        request: names a reference, or none.
        recipe: what the target should be.
        own: the folder that is examined; None for a server.
    """
    given = request.reference
    if given is not None and given.is_file():
        return read_golden(given)
    if given is not None:
        return LocalReference(recipe.model_copy(update={"sources": Sources(folder=str(_other_folder(given, own)))}))
    try:
        found = LocalReference(recipe)
    except (WeightsError, MissingExtraError):
        found = None
    if found is not None and not _is_same(Path(found.name), own):
        return found
    return None if _is_file(request.recipe) else shipped_golden(recipe.name)


def _other_folder(given: Path, own: Path | None) -> Path:
    if not given.is_dir():
        raise UsageError(f"{given}: neither a golden file nor a folder; --record FILE makes one")
    if _is_same(given, own):
        raise UsageError(
            f"--reference {given} is the examined folder itself, which agrees with every fault in it; name the "
            "publisher's folder, or a golden file"
        )
    return given


def _is_same(one: Path, other: Path | None) -> bool:
    return other is not None and one.resolve() == other.resolve()


def _open(request: Request) -> ServerTarget:
    return ServerTarget(ServerConfig(request.target, request.model, request.key, request.templates))


def _with_model(request: Request) -> Request:
    """The request with the server's first model where none was named."""
    if request.model:
        return request
    listed = served_models(request.target, request.key)
    return replace(request, model=listed[0] if listed else request.recipe or "")


def _recipe_of_server(request: Request) -> Recipe:
    if request.recipe:
        return _named(request.recipe)
    wanted = _plain(request.model)
    for name in recipe_names():
        recipe = load_recipe(name)
        known = {name, recipe.title, recipe.sources.huggingface or "", recipe.sources.modelscope or ""}
        if wanted and wanted in {_plain(k) for k in known}:
            return recipe
    names = ", ".join(recipe_names())
    raise UsageError(
        f"no recipe is known by the model's name {request.model!r}; name it with --recipe, one of: {names}"
    )


def _recipe_of_folder(request: Request, claimed: Recipe) -> Recipe:
    """The recipe that was named, or the one of the catalogue that has this shape, or what the folder itself says."""
    if request.recipe:
        return _named(request.recipe)
    alike = [
        r
        for r in map(load_recipe, recipe_names())
        if (r.kind, r.architecture, r.dimension) == (claimed.kind, claimed.architecture, claimed.dimension)
        and abs(r.parameters - claimed.parameters) <= 0.02 * r.parameters
    ]
    by_name = [r for r in alike if _plain(r.title) in _plain(Path(str(claimed.sources.folder)).name)]
    chosen = by_name or alike
    return chosen[0] if len(chosen) == 1 else claimed


def _is_file(name: str | None) -> bool:
    return Path(name or "").suffix == ".toml"


def _named(name: str) -> Recipe:
    path = Path(name)
    if _is_file(name):
        try:
            return parse_recipe(path.read_text(encoding="utf-8"), str(path))
        except OSError as wrong:
            raise RecipeError(f"{path}: cannot be read ({wrong.strerror})") from None
    return load_recipe(name)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().rsplit("/", 1)[-1])
