"""Results that other tools made, several suites, and plans."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bench_results import outcomes, result
from scipy import stats

from steelyard.bench.evaluation.external.mteb_folder import read_mteb, read_predictions
from steelyard.bench.evaluation.external.trec_runs import read_runs
from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.over_suites import by_suite, over_suites
from steelyard.bench.evaluation.result import save
from steelyard.cli import main
from steelyard.errors import ResultError
from steelyard.stats.planning import plan

MTEB = Path(__file__).parent / "mteb_results"


def trec_files(folder: Path) -> tuple[Path, Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    qrels = folder / "qrels.txt"
    qrels.write_text("".join(f"q{i} 0 d{i} 1\n" for i in range(40)))
    good, bad = folder / "good.run", folder / "bad.run"
    good.write_text("".join(f"q{i} Q0 d{i} 1 2.0 x\nq{i} Q0 z 2 1.0 x\n" for i in range(40)))
    bad.write_text("".join(f"q{i} Q0 z 1 2.0 x\nq{i} Q0 d{i} 2 1.0 x\n" for i in range(0, 40, 2)))
    return good, bad, qrels


def test_runs_are_measured_and_a_query_without_hits_counts_nothing(tmp_path: Path) -> None:
    good, bad, qrels = trec_files(tmp_path)
    found = read_runs([good, bad], qrels)
    means = {s.name: sum(v or 0.0 for v in s.values["mrr"]) / 40 for s in found.systems}
    assert means == {"good": 1.0, "bad": 0.25}
    assert judge(found).verdict.between("good", "bad").better


def test_a_broken_run_names_file_and_line(tmp_path: Path) -> None:
    good, bad, qrels = trec_files(tmp_path)
    bad.write_text("q1 Q0 d1 1 2.0 x\nq1 d1 3\n")
    with pytest.raises(ResultError, match=r"bad\.run:2: is not query id, Q0"):
        read_runs([good, bad], qrels)


def test_the_commands_read_other_tools_results(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    good, bad, qrels = trec_files(tmp_path)
    assert main(["compare", f"trec:{good},{bad}", "--qrels", str(qrels), "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["verdict"]["n"] == 40
    assert main(["compare", f"trec:{good}"]) == 2
    assert main(["compare", f"mteb:{tmp_path}/none"]) != 0
    assert main(["power", "--margin", "3", "--systems", "4", "--json"]) == 0
    said = json.loads(capfdbinary.readouterr().out)
    assert (said["pairs"], said["pilot"]) == (6, False)


def test_a_folder_that_mteb_wrote_is_read_as_tasks() -> None:
    found = read_mteb(MTEB)
    assert {s.name for s in found.systems} == {"steelyard/e5-small", "steelyard/use-multilingual"}
    assert len(found.queries) == 8
    for path in MTEB.rglob("ZhTraps*.json"):
        written = json.loads(path.read_bytes())
        model = json.loads((path.parent / "model_meta.json").read_bytes())["name"]
        place = [q.id for q in found.queries].index(written["task_name"])
        ours = next(s for s in found.systems if s.name == model).values["main_score"][place]
        assert ours == pytest.approx(written["scores"]["test"][0]["main_score"])
    pair = judge(found).verdict.comparisons[0]
    values = {s.name: s.values["main_score"] for s in found.systems}
    reference = stats.permutation_test(
        (values[pair.a], values[pair.b]), lambda a, b: (a - b).mean(), permutation_type="samples", n_resamples=10**5
    ).pvalue
    assert pair.p == pytest.approx(reference, abs=1e-12)  # 2 ** 8 assignments: both are exact


def test_rankings_that_mteb_saved_are_judged_query_by_query(tmp_path: Path) -> None:
    """The form is that of mteb 2.26.24: model, subset, split, query, document, score."""
    _, _, qrels = trec_files(tmp_path)
    for name, right in (("m/good", 2.0), ("m/bad", 0.5)):
        folder = tmp_path / name.replace("/", "_")
        folder.mkdir()
        queries = {f"q{i}": {f"d{i}": right, "z": 1.0} for i in range(40)}
        content = {"mteb_model_meta": {"model_name": name, "revision": "1"}, "default": {"test": queries}}
        (folder / "T_predictions.json").write_text(json.dumps(content))
    found = read_predictions(tmp_path, qrels)
    assert {s.name: sum(v or 0.0 for v in s.values["mrr"]) / 40 for s in found.systems} == {"m/good": 1.0, "m/bad": 0.5}
    with pytest.raises(ResultError, match="prediction_folder"):
        read_predictions(MTEB, qrels)


def test_a_folder_of_something_else_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ResultError, match=re.escape("looked for MODEL/REVISION/TASK.json")):
        read_mteb(tmp_path)
    broken = tmp_path / "org__m" / "1"
    broken.mkdir(parents=True)
    (broken / "T.json").write_text('{"task_name": "T", "scores": {"test": [{"main_score": null}]}}')
    with pytest.raises(ResultError, match="main_score is None, not a number"):
        read_mteb(tmp_path)


def suites() -> Any:
    made = []
    for i in range(7):
        one = result({"a": outcomes(0.8, seed=i), "b": outcomes(0.6, seed=100 + i), "only here": outcomes(0.5)})
        made.append(
            one.model_copy(update={"suite": one.suite.model_copy(update={"name": f"s{i}", "checksum": str(i)})})
        )
    return made


def test_over_suites_the_suite_is_the_unit() -> None:
    whole = over_suites(suites())
    assert len(whole.queries) == 7
    verdict = judge(whole).verdict
    assert verdict.between("a", "b").p == 2 / 2**7
    assert verdict.between("a", "b").better


def test_results_of_one_suite_stand_together_and_others_apart(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    made = suites()[:2]
    groups = by_suite([*made, made[0]], ["x", "y", "z"])
    assert [files for _, files in groups] == [["x", "z"], ["y"]]
    paths = [tmp_path / f"{i}.json" for i in range(2)]
    for one, path in zip(made, paths, strict=True):
        save(one, path)
    assert main(["compare", *map(str, paths), "--lang", "en"]) == 0
    assert "Over 2 suites, the suite as the unit" in capfdbinary.readouterr().out.decode()
    with pytest.raises(ResultError, match="two suites or more"):
        over_suites(made[:1])


def test_more_systems_need_more_queries() -> None:
    two, five = plan(0.03, 2), plan(0.03, 5)
    assert (two.pairs, five.pairs) == (1, 10)
    assert five.better > two.better
    assert five.no_worse == two.no_worse
    assert [n for n, _ in five.reach] == sorted(n for n, _ in five.reach)
    assert all(a > b for (_, a), (_, b) in zip(five.reach, five.reach[1:], strict=False))
