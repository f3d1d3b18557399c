from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.suites.audit import Problem, audit
from steelyard.suites.similar import near_duplicates, trigrams
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query

# Few letters, so that texts overlap; long enough to have trigrams.
texts = st.lists(st.text(alphabet="ab书的，", max_size=24), min_size=1, max_size=12)


def brute(all_texts: Any, among: Any, threshold: Any) -> Any:
    rows = [set(trigrams(t).tolist()) for t in all_texts]
    found = set()
    for i in among:
        for j, row in enumerate(rows):
            if i != j and rows[i] and row and len(rows[i] & row) / len(rows[i] | row) >= threshold:
                found.add((i, j))
    return found


@settings(max_examples=200)
@given(texts, st.sampled_from([0.3, 0.5, 0.8, 1.0]), st.data())
def test_near_duplicates_are_exactly_those_of_comparing_all_with_all(
    all_texts: Any, threshold: float, data: st.DataObject
) -> None:
    among = data.draw(st.lists(st.integers(0, len(all_texts) - 1), unique=True))
    found = near_duplicates(all_texts, among, threshold, most=100)
    assert {(i, j) for i, j, _ in found} == brute(all_texts, among, threshold)
    assert len(found) == len({(i, j) for i, j, _ in found})


def test_near_duplicates_of_long_texts() -> None:
    rng = np.random.default_rng(0)
    base = ["".join(chr(0x4E00 + c) for c in rng.integers(0, 300, 80)) for _ in range(150)]
    changed = [t[:40] + "改" + t[41:] for t in base[:50]]
    found = near_duplicates(base + changed, range(150), 0.8)
    assert {(i, j) for i, j, _ in found} == {(i, 150 + i) for i in range(50)}


def test_a_text_that_stands_there_a_thousand_times_stays_cheap() -> None:
    found = near_duplicates(["同一句话说了一千遍"] * 3_000, range(3_000), 0.8, most=2)
    assert len(found) == 6_000


def test_case_width_and_punctuation_do_not_count() -> None:
    assert near_duplicates(["ＡＢＣ，ｄｅｆ！", "abc def"], [0], 0.99) == [(0, 1, 1.0)]
    assert near_duplicates(["ab", "A b", "abc", ""], [0, 3], 0.5) == [(0, 1, 1.0)]


def suite(documents: Any, judgements: Any, queries: tuple[str, ...] = ("q1", "q2")) -> Suite:
    return Suite(
        name="s",
        queries=tuple(Query(q, f"query {q}") for q in queries),
        documents=tuple(Document(d, text) for d, text in documents.items()),
        judgements=judgements,
    )


def test_a_clean_suite_has_no_findings() -> None:
    found = audit(suite({"a": "退款要七天到账", "b": "发货用顺丰"}, {"q1": {"a": 1}, "q2": {"b": 1, "a": 0}}))
    assert not found
    assert found.findings == ()


def test_every_problem_is_found() -> None:
    long = "很" * 9_000
    documents = {
        "a": "退款要七天才到账，请等等",
        "a2": "退款要七天才到账请等等",
        "b": "发货",
        "e": " ",
        "l": long,
        "l2": long,
        "n": "NaN",
    }
    judgements = {"q1": {"a": 1, "gone": 1}, "q2": {"b": 0}, "stranger": {"b": 1}}
    made = suite(documents, judgements, ("q1", "q2", "q3"))
    twin = Suite("s", (*made.queries, Query("q4", "query q3")), made.documents, made.judgements)
    found = audit(twin)
    assert {f.problem for f in found.findings} == set(Problem)
    assert found.of(Problem.DUPLICATE_QUERIES) == ("q3 = q4",)
    assert found.of(Problem.DUPLICATE_DOCUMENTS) == ("l = l2",)
    assert found.of(Problem.UNKNOWN_DOCUMENTS) == ("gone",)
    assert found.of(Problem.UNKNOWN_QUERIES) == ("stranger",)
    assert found.of(Problem.UNJUDGED_QUERIES) == ("q3", "q4")
    assert found.of(Problem.UNANSWERABLE_QUERIES) == ("q2",)
    assert found.of(Problem.EMPTY_TEXTS) == ("e",)
    assert found.of(Problem.LONG_TEXTS) == ("l", "l2")
    assert found.of(Problem.FALSE_NEGATIVES) == ("q1: a2 ~ a (1.00)",)


def test_findings_read_as_sentences() -> None:
    documents = {f"d{i}": "同样的话" for i in range(9)}
    found = audit(suite(documents, {"q1": {"d0": 1}, "q2": {"d1": 1}}))
    shown = [str(f) for f in found.findings]
    assert shown[0] == "1 documents with the same text: d0 = d1 = d2 = ... (9 in all)"
    assert shown[1].startswith("16 unjudged documents (nearly) identical to a relevant one")
    assert shown[1].endswith(" and 13 more")


def test_a_judged_twin_is_no_false_negative() -> None:
    documents = {"a": "退款要七天才到账", "b": "退款要七天才到账"}
    found = audit(suite(documents, {"q1": {"a": 1, "b": 0}}, ("q1",)))
    assert found.of(Problem.FALSE_NEGATIVES) == ()
