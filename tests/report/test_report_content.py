"""What a report says, before it is set in any form."""

from __future__ import annotations

import copy
import json
import pickle
import re
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_fakes import cost, result_of, trap_suite, weighed, whole_report, whole_result

from steelyard.bench.evaluation.result import CacheRecord, SystemRecord, Timing, load
from steelyard.errors import UsageError
from steelyard.report import lost, sentences
from steelyard.report.content import compose
from steelyard.report.economy import pace
from steelyard.report.forest import figures_scale
from steelyard.report.labels import PLACES, label_places
from steelyard.report.sweeps import sweeps
from steelyard.stats.intervals import Interval, interval
from steelyard.stats.verdict import judge
from steelyard.wording.numbers import CHANGE, amount, p_value, short
from steelyard.wording.words import LANGUAGES, load_wording, reader_language


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_things() -> None:
    english, chinese = (load_wording(language).words for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key
        assert text.strip() or key == "text.gap", key


def test_chinese_is_chinese() -> None:
    same = {k for k, text in load_wording("zh").words.items() if text == load_wording("en").words[k]}
    assert not any(re.search(r"[a-z]{3} [a-z]{3}", load_wording("zh").words[k]) for k in same), same


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="en or zh, not 'fr'"):
        load_wording("fr")


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 50), st.booleans())
def test_the_page_says_what_the_terminal_says(systems: int, queries: int, seed: int, graded: bool) -> None:
    draw = np.random.default_rng(seed)
    share = draw.random(systems)
    values = draw.random((systems, queries))
    matrix = values if graded else (values < share[:, None]).astype(float)
    suite = trap_suite(queries)
    records = tuple(
        SystemRecord(name=f"system-{i}", values={"top1": tuple(map(float, row))}) for i, row in enumerate(matrix)
    )
    report = compose(result_of(suite, records))
    w = load_wording("en")
    said = w.paragraph(sentences.headline(report, w), w.of(report.verdict.reach))
    assert said == report.verdict.sentence


def test_the_report_names_what_failed_and_what_was_remarked() -> None:
    report = compose(whole_result(), origins=["/somewhere/a.json", "b.json"])
    assert [s.name for s in report.failed] == ["openai:X@http://localhost:1"]
    assert report.origins == ("a.json", "b.json")
    remarks = " ".join(sentences.remarks(report, load_wording("en")))
    assert "no answer" in remarks
    assert "Combined from a.json, b.json" in remarks
    assert "bm25: 3 of 40 texts" in remarks
    assert "zh-fakes: two texts are alike" in remarks


def test_a_report_begins_with_a_system_and_says_why() -> None:
    w, suite = load_wording("en"), trap_suite(40)
    better = compose(result_of(suite, (weighed("e5-small", suite, 4000), weighed("bm25", suite, 1, 9))))
    assert sentences.title(better, w) == "Recommendation: e5-small"
    assert sentences.reason(better, w).startswith("e5-small is significantly better than every other system")
    same = (weighed("e5-small", suite, 64, costs=cost(30.0)), weighed("minilm-en", suite, 64, costs=cost(1.0)))
    tied = compose(result_of(suite, same))
    assert sentences.title(tied, w) == "Recommendation: e5-small"
    reason = sentences.reason(tied, w)
    assert "minilm-en costs less, but a loss of more than 2.0 points is not excluded by Top-1" in reason
    assert "queries would decide it, here 40" in reason
    alone = compose(result_of(suite, same[:1]))
    assert sentences.title(alone, w) == "Only one system was evaluated by Top-1."
    none = result_of(suite, tuple(SystemRecord(name=n, values={"top1": (0.0,) * 40}) for n in ("bm25", "e5-small")))
    assert sentences.title(compose(none), w).startswith("Undecided: the 2 systems show no significant difference")


def test_what_is_found_out_below_is_said_in_the_readers_language() -> None:
    report = whole_report()
    w = load_wording("zh")
    chinese = " ".join((sentences.reason(report, w), *sentences.details(report, w)))
    assert not re.search(r"[a-z]{3} [a-z]{3} [a-z]{3}", chinese)
    again = pickle.loads(pickle.dumps(copy.deepcopy(report.verdict.headline)))
    assert load_wording("zh").of(again) == load_wording("zh").of(report.verdict.headline) != str(again)
    assert json.loads(json.dumps(again)) == str(again)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_locale_names_the_language(environment: dict[str, str], language: str) -> None:
    assert reader_language(environment) == language


def test_categories_come_hardest_first() -> None:
    report = whole_report()
    means = [np.mean([f.estimate for f in report.judgement.categories[c].values()]) for c in report.categories]
    assert means == sorted(means)
    assert len(means) == 4


# Lost queries


def test_lost_queries_are_those_whose_first_hit_is_wrong() -> None:
    result = whole_result()
    report = compose(result)
    shown = {q.query.id: {x.system: x for x in q.losses} for q in report.lost.shown}
    for system in result.weighed:
        for query, hits, value in zip(result.queries, system.top, system.values["top1"], strict=True):
            assert (system.name in shown.get(query.id, {})) == (value == 0.0)
            if value == 0.0:
                loss = shown[query.id][system.name]
                ids = [h.id for h in hits]
                rank = ids.index(query.relevant[0]) + 1 if query.relevant[0] in ids else None
                assert (loss.rank, loss.hits) == (rank, tuple(ids[:5]))
    counts = [len(q.losses) for q in report.lost.shown]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("measure", ["top1", "hit@3", "mrr", "group1"])
def test_lost_queries_follow_the_judged_measure(measure: str) -> None:
    report = compose(whole_result(), measure=measure)
    shown = {(q.query.id, x.system): x.value for q in report.lost.shown for x in q.losses}
    for system in report.result.weighed:
        for query, value in zip(report.result.queries, system.values[measure], strict=True):
            assert shown.get((query.id, system.name), 1.0) == value
    assert report.lost.graded == (measure == "mrr")
    said = sentences.lost_intro(report, load_wording("en"))
    assert ("MRR" if measure == "mrr" else "queries") in said


def test_lost_queries_are_bounded_and_say_so() -> None:
    suite = trap_suite(60)
    huge = {d.id: "字" * 9_000 for d in suite.documents}
    report = compose(result_of(suite, (weighed("bm25", suite, 4, 3),), documents=huge))
    size = sum(len(huge[d].encode()) for q in report.lost.shown for d in set(lost.texts_of(q)))
    assert 0 < len(report.lost.shown) < report.lost.total
    assert size <= lost.MOST_BYTES * 2
    assert report.lost.total == sum(v == 0 for v in report.result.weighed[0].values["top1"])


def test_a_published_table_has_no_lost_queries_to_show() -> None:
    report = compose(load("published:a100-8x24"))
    assert not report.lost.available
    assert report.sweeps == report.categories == ()  # type: ignore[comparison-overlap]


def test_a_published_table_brings_its_own_times() -> None:
    report = compose(load("published:a100-8x24"))
    assert report.pace is not None
    times = {p.system: p.milliseconds for p in report.pace.points}
    assert times["Qwen3-8B"] == pytest.approx(1000 * 0.122 / 32)
    assert (report.pace.source, {b.source for b in report.costs}) == ("published", {"published"})
    assert {b.key for b in report.costs} == {"texts_per_second", "load_s", "gpu_gb", "storage_gb"}


def test_a_query_without_an_answer_is_not_lost() -> None:
    suite = trap_suite(6)
    whole = result_of(suite, (weighed("bm25", suite, 4, 3),))
    bare = tuple(q.model_copy(update={"relevant": ()}) for q in whole.queries)
    assert compose(whole.model_copy(update={"queries": bare})).lost.total == 0


# Sweeps


def figures_of(*names: str) -> dict[str, Interval]:
    return {name: interval([0.0, 1.0]) for name in names}


def test_a_sweep_is_found_in_names_and_takes_the_native_dimension_in() -> None:
    found = sweeps(figures_of("e5-small[dim=64]", "bm25", "e5-small", "e5-small[dim=128]"))
    assert [(s.option, [c.family for c in s.curves]) for s in found] == [("dim", ["e5-small"])]
    assert [(s.value, s.system) for s in found[0].curves[0].spots] == [
        (64, "e5-small[dim=64]"), (128, "e5-small[dim=128]"), (384, "e5-small"),
    ]  # fmt: skip


def test_sweeps_inside_larger_systems_keep_their_families_apart() -> None:
    names = [f"bm25 + e5-small[dim={d}] >> maxsim[top={t}]" for d in (32, 64) for t in (10, 20)]
    found = {s.option: [(c.family, len(c.spots)) for c in s.curves] for s in sweeps(figures_of(*names))}
    assert found == {
        "dim": [(f"bm25 + e5-small >> maxsim[top={t}]", 2) for t in (10, 20)],
        "top": [(f"bm25 + e5-small[dim={d}] >> maxsim", 2) for d in (32, 64)],
    }


@pytest.mark.parametrize("names", [("bm25",), ("BGE-M3", "Qwen3-4B"), ("e5-small", "qwen3-4b"), ("e5-small[dim=64]",)])
def test_no_sweep_where_there_is_none(names: tuple[str, ...]) -> None:
    assert sweeps(figures_of(*names)) == ()


# Time and cost


def record(name: str, milliseconds: float | None, cached: int = 0) -> SystemRecord:
    timing = Timing(index_seconds=1.0, search_seconds=milliseconds) if milliseconds else None
    return SystemRecord(name=name, timing=timing, cache=CacheRecord(found=cached))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=2, max_size=7))
def test_the_front_is_what_nobody_beats(systems: list[tuple[int, int]]) -> None:
    records = [record(f"s{i}", float(t)) for i, (_, t) in enumerate(systems)]
    figures = {f"s{i}": Interval(a / 6, 0, 1, 9, "wilson") for i, (a, _) in enumerate(systems)}
    found = pace(records, figures, 1000)
    assert found is not None
    front = {p.system for p in found.points if p.front}
    for i, (a, t) in enumerate(systems):
        beaten = any(b >= a and u <= t and (b, u) != (a, t) for b, u in systems)
        assert (f"s{i}" in front) == (not beaten)
    assert [p.milliseconds for p in found.points] == sorted(p.milliseconds for p in found.points)


def test_times_that_the_cache_made_are_left_out() -> None:
    records = [record("a", 1.0), record("b", 2.0, cached=3), record("c", None), record("d", 1.0)]
    found = pace(records, figures_of("a", "b", "c", "d"), 2)
    assert found is not None
    assert (found.source, [p.system for p in found.points], found.left_out) == ("run", ["a", "d"], ("b", "c"))
    assert pace(records[:3], figures_of("a", "b", "c"), 2) is None


def test_measured_costs_go_before_times_of_the_run() -> None:
    suite = trap_suite(8)
    records = (weighed("bm25", suite, 16, costs=cost(0.2)), weighed("e5-small", suite, 64, costs=cost(30.0)))
    report = compose(result_of(suite, (*records, weighed("minilm-en", suite, 32))))
    assert report.pace is not None
    assert (report.pace.source, report.pace.left_out) == ("costs", ("minilm-en",))
    bars = {b.key: b.figures for b in report.costs}
    assert list(bars) == ["load_s", "process_gb", "p50_ms", "p95_ms", "p99_ms", "storage_gb"]
    assert "bm25" not in bars["storage_gb"]  # it keeps no vectors
    assert bars["process_gb"]["bm25"].value == pytest.approx(1.05)


def test_storage_is_that_of_the_vectors_as_they_are_kept() -> None:
    suite = trap_suite(8)
    sizes = {
        "e5-small": 1.536, "e5-small[dim=96,precision=binary]": 0.012, "bm25 + e5-small": 1.536,
        "e5-small[precision=int8]": 0.384001536, "e5-small[precision=binary,rescore=20]": 0.048 + 1.536,
    }  # fmt: skip
    records = [weighed(name, suite, 16, costs=cost(1.0, 384)) for name in ("bm25", *sizes)]
    report = compose(result_of(suite, tuple(records)))
    (bars,) = [b.figures for b in report.costs if b.key == "storage_gb"]
    assert {name: figure.value for name, figure in bars.items()} == pytest.approx(sizes)


# Figures


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_whiskers_stay_on_their_scale_in_order(figures: list[tuple[float, float, float]]) -> None:
    made = [Interval(*(sorted(f)[i] for i in (1, 0, 2)), 5, "wilson") for f in figures]  # type: ignore[arg-type, call-arg]
    scale = figures_scale(made)
    for f in made:
        whisker = scale.whisker(f.low, f.estimate, f.high)
        assert whisker is not None
        assert 0 <= whisker.low <= whisker.at <= whisker.high <= 100
    places = [p for _, p in scale.ticks]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 100)
    assert len(places) <= 8


def test_a_figure_without_a_value_has_no_whisker() -> None:
    assert figures_scale([]).whisker(float("nan"), float("nan"), float("nan")) is None


@pytest.mark.parametrize(
    ("value", "points", "signed", "text"),
    [
        (0.5, True, False, "50.0"), (0.0004, True, True, "0.0"), (-0.0004, True, True, "0.0"),
        (-0.05, True, True, "−5.0"), (0.05, True, True, "+5.0"),
        (12.3456, False, False, "12.3"), (float("nan"), True, False, "–"),
        (float("inf"), False, True, "–"),
    ],
)  # fmt: skip
def test_amounts(value: float, points: bool, signed: bool, text: str) -> None:
    assert amount(value, points=points, signed=signed) == text


def test_ranges_p_values_and_costs() -> None:
    assert CHANGE.range(-0.1, 0.2) == "[−10.0, +20.0]"
    assert [p_value(p) for p in (0.0004, 0.0123, 0.5)] == ["< 0.001", "0.012", "0.50"]
    assert [short(v) for v in (0, 0.01234, 1.5, 12.34, 1234.5)] == ["0", "0.0123", "1.50", "12.3", "1,234"]


@given(st.lists(st.tuples(st.text(max_size=30), st.floats(-5, 5), st.floats(0, 1)), max_size=12))
def test_every_name_has_a_place(points: list[tuple[str, float, float]]) -> None:
    chosen = label_places(points)
    assert len(chosen) == len(points)
    assert set(chosen) <= {p.name for p in PLACES}


def test_names_of_neighbours_keep_off_each_other() -> None:
    assert len(set(label_places([("a-long-name", 0.0, 0.5), ("a-long-name", 0.02, 0.5), ("far", 9.0, 0.9)]))) > 1


def test_judging_by_another_measure() -> None:
    report = compose(whole_result(), measure="mrr")
    assert report.verdict.measure == "mrr"
    assert report.measures == ("top1", "hit@3", "group1")
    assert judge({"a": {"q": 1.0}}, "top1").comparisons == ()


def test_a_head_without_vectors_of_a_text_is_no_place_of_a_dimension() -> None:
    found = sweeps(figures_of("bge-m3[head=sparse]", "bge-m3[dim=64]", "bge-m3", "bge-m3[head=dense]"))
    spots = {spot.system for sweep in found for curve in sweep.curves for spot in curve.spots}
    assert spots == {"bge-m3[dim=64]", "bge-m3"}


@pytest.mark.parametrize("key", sorted(k for k in load_wording("en").words if k.startswith("remark.")))
def test_a_remark_of_a_stored_result_is_said_in_chinese(key: str) -> None:
    english, w = load_wording("en"), load_wording("zh")
    values = {name: f"x{i}" for i, name in enumerate(sorted(placeholders(english.words[key])))}
    assert w.of(english(key, **values)) == w(key, **values)
    assert english.of(english(key, **values)) == english(key, **values)


ROOT = Path(__file__).resolve().parents[2]
CHINESE = [*(ROOT / "src/steelyard/wording/zh").glob("*.toml"), ROOT / "README.zh-CN.md", *ROOT.glob("docs/*.zh-CN.md")]


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.name)
def test_chinese_uses_the_terms_of_the_field(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for wrong, right in {"词元": "token", "载入": "加载", "代价": "成本"}.items():
        assert wrong not in text, f"{wrong}: write {right}"
    assert not re.search(r"[\d}] 分(?![类组段别之布析])", text), "points are 个百分点"
