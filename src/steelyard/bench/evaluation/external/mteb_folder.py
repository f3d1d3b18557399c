"""A folder of mteb's results: ``MODEL/REVISION/TASK.json``, as mteb 1 and 2 write them.

A task's score is the mean of ``main_score`` over its splits and subsets, as mteb's own tables take it. Compared are the
tasks that all models have; a task is the unit, so tests and intervals speak of further tasks of the same kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from steelyard.bench.evaluation.external.made import result_of
from steelyard.bench.evaluation.external.trec_runs import judged_rankings
from steelyard.bench.evaluation.result import Result
from steelyard.errors import ResultError
from steelyard.types import Ranking, ranked

MEASURE = "main_score"
_META = "model_meta.json"
_PREDICTED_BY = "mteb_model_meta"


def read_mteb(folder: Path) -> Result:
    """The models of a folder as systems, their common tasks as units.

    Raises:
        ResultError: there is no such folder, fewer than one task that all models have, or a file that is not mteb's.
    """
    if not folder.is_dir():
        raise ResultError(f"mteb:{folder} is no folder; name the one that holds MODEL/REVISION/TASK.json")
    scores: dict[str, dict[str, float]] = {}
    for path in sorted(folder.rglob("*.json")):
        if path.name != _META and (found := _task(path)) is not None:
            _take(scores, path, *found)
    if not scores:
        raise ResultError(f"mteb:{folder} holds no result of mteb: looked for MODEL/REVISION/TASK.json")
    tasks = sorted(set.intersection(*(set(row) for row in scores.values())))
    if not tasks:
        names = ", ".join(f"{model} ({len(row)})" for model, row in scores.items())
        raise ResultError(f"the models of mteb:{folder} share no task: {names}")
    every = set().union(*scores.values())
    left = f"; {len(every) - len(tasks)} tasks that not every model has are left out" if len(every) > len(tasks) else ""
    values = {model: {MEASURE: {t: row[t] for t in tasks}} for model, row in scores.items()}
    note = f"mteb's results of {folder.name}: {len(tasks)} tasks, {len(scores)} models{left}. A task is the unit."
    return result_of(f"mteb:{folder.name}", tasks, values, note)


def read_predictions(folder: Path, qrels: Path) -> Result:
    """The rankings that mteb saved (``prediction_folder``), measured with qrels, query by query.

    Raises:
        ResultError: no predictions are there, or the models did not answer the same tasks.
    """
    found: dict[str, list[Ranking]] = {}
    for path in sorted(folder.rglob("*_predictions.json")):
        content = _read(path)
        meta = content.pop(_PREDICTED_BY, None) if isinstance(content, dict) else None
        if not isinstance(meta, dict):
            raise ResultError(f"{path} is not a file of predictions as mteb 2 writes them")
        found.setdefault(str(meta.get("model_name")), []).extend(_rankings(content, path))
    if not found:
        raise ResultError(f"mteb:{folder} holds no predictions; mteb saves them where prediction_folder is given")
    return judged_rankings(found, qrels, f"mteb:{folder.name}", "Rankings that mteb saved")


def _rankings(subsets: Mapping[str, Any], path: Path) -> Iterator[Ranking]:
    try:
        for splits in subsets.values():
            for queries in splits.values():
                for query, scores in queries.items():
                    yield ranked(query, {document: float(score) for document, score in scores.items()})
    except (AttributeError, TypeError, ValueError) as wrong:
        raise ResultError(f"{path}: not subset, split, query, document and score ({wrong})") from None


def _take(scores: dict[str, dict[str, float]], path: Path, task: str, score: float) -> None:
    model = _model(path)
    row = scores.setdefault(model, {})
    if task in row:
        raise ResultError(f"{path}: {model} has {task} twice; keep one revision of each model in the folder")
    row[task] = score


def _model(path: Path) -> str:
    """``org/name`` from the folder above the revision's."""
    meta = path.parent / _META
    if meta.is_file():
        content = _read(meta)
        if isinstance(content, dict) and isinstance(content.get("name"), str):
            return str(content["name"])
    return path.parent.parent.name.replace("__", "/")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())  # mteb writes NaN, which strict readers refuse
    except (OSError, ValueError) as wrong:
        raise ResultError(f"{path} cannot be read as mteb's JSON: {wrong}") from None


def _task(path: Path) -> tuple[str, float] | None:
    """A task's name and score; None of a JSON file that is something else."""
    content = _read(path)
    if not isinstance(content, dict) or "task_name" not in content or not isinstance(content.get("scores"), dict):
        return None
    found = list(_main_scores(content["scores"], path))
    if not found:
        raise ResultError(f"{path} holds no main_score")
    return str(content["task_name"]), fmean(found)


def _main_scores(splits: Mapping[str, Any], path: Path) -> Iterator[float]:
    for split, subsets in splits.items():
        for subset in subsets if isinstance(subsets, list) else ():
            score = subset.get(MEASURE) if isinstance(subset, dict) else None
            if not isinstance(score, int | float) or score != score:
                raise ResultError(f"{path}: split {split}: main_score is {score!r}, not a number")
            yield float(score)
