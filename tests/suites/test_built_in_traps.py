"""The trap suites that ship with the package keep every rule, on every change."""

import tomllib
from collections import Counter

import pytest

from steelyard.suites.registry import CATALOG, open_suite
from steelyard.suites.trapcheck import check_traps
from steelyard.types import TrapKind

SIXTEEN = {
    "polysemy", "homophone", "context", "idiom", "cross-domain", "negation", "polarity", "roles",
    "quantity", "time-cause", "irony", "abbreviation", "classical", "entity", "script-variant", "scope",
}  # fmt: skip
NAMES = ["zh-traps", "zh-traps-mini", "en-traps", "zh-en-traps"]


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_is_kept(name: str) -> None:
    report = check_traps(name)
    assert report.passed, report.as_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_is_there(name: str) -> None:
    suite = open_suite(name)
    card = tomllib.loads((CATALOG / f"{name}.toml").read_text(encoding="utf-8"))
    header = (CATALOG / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert (card["groups"], card["documents"]) == (len(suite.queries), len(suite.documents))
    assert card["canary"] in header
    assert f"steelyard-{name}-canary" in suite.card.canary
    assert "[table: built-in systems]\nTop-1 in percent" in suite.card.text
    assert f"Suite checksum {suite.checksum[:16]}" in suite.card.text


def test_sixteen_categories_of_at_least_twenty_four() -> None:
    suite = open_suite("zh-traps")
    counts = Counter(q.category for q in suite.queries)
    assert set(counts) == SIXTEEN
    assert min(counts.values()) >= 24
    assert len(suite.queries) >= 384


def test_one_group_in_ten_is_long() -> None:
    suite = open_suite("zh-traps")
    texts = {d.id: d.text for d in suite.documents}
    long = sum(all(len(texts[d]) >= 285 for d in group) for group in suite.traps.values())
    assert long / len(suite.traps) >= 0.1


def test_mini_has_the_published_shape() -> None:
    mini, whole = open_suite("zh-traps-mini"), open_suite("zh-traps")
    assert (len(mini.queries), len(mini.documents)) == (8, 24)
    assert len({q.category for q in mini.queries}) == 8
    assert {q.id for q in mini.queries} <= {q.id for q in whole.queries}


def test_cross_lingual_groups_cross_the_languages_both_ways() -> None:
    suite = open_suite("zh-en-traps")
    texts = {d.id: d.text for d in suite.documents}
    ways: Counter[bool] = Counter()
    for query in suite.queries:
        chinese = {_chinese(texts[d]) for d in suite.traps[query.id]}
        assert chinese == {not _chinese(query.text)}
        ways[_chinese(query.text)] += 1
    assert min(ways.values()) >= 35


def test_ids_tell_nothing_of_the_kind() -> None:
    suite = open_suite("zh-traps")
    letters = Counter(d[-1] for group in suite.traps.values() for d, k in group.items() if k is TrapKind.POSITIVE)
    assert all(90 <= letters[c] <= 160 for c in "abc")


def _chinese(text: str) -> bool:
    return sum("一" <= c <= "鿿" for c in text) > len(text) / 3
