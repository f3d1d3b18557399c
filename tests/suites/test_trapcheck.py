import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.load import load_suite
from steelyard.suites.registry import CATALOG
from steelyard.suites.suite import Suite
from steelyard.suites.trapcheck import check_traps, groups_of
from steelyard.suites.trapstats import at_least, overlap, same_script, tells

HEADER = {"suite": "t", "version": "1", "licence": "CC0", "canary": "t-canary"}
# Written for this test: query, then positive, look-alike, contrary.
TEXTS = [
    (
        "会员卡丢了还能补办吗",
        "拿身份证到前台登记一下，工作人员会重新制作一张给您，余额不变。",
        "会员卡补办电话被标成骚扰，丢了客户还能怪谁，客服说卡在审核。",
        "遗失实体凭证后一律作废，本店不重新制作，里面的钱也不退。",
    ),
    (
        "早高峰能带自行车上地铁吗",
        "七点到九点半之间，折叠车装袋可以进站，不折叠的整车会被拦下。",
        "地铁早高峰能上自行车道骑的人越来越多，带头盔的却没有几个。",
        "晚上八点以后和周末全天，整车推进站台都没有人会拦你。",
    ),
    (
        "房东不退押金怎么维权",
        "先把合同和转账记录存好，到街道调解，谈不拢就去法院立小额案子。",
        "房东押金退了，租客维权群却不散，大家怎么聊都聊成了拼单群。",
        "租客欠着水电费跑掉，出租人可以拿保证金抵扣，再追讨差额。",
    ),
    (
        "猫咪绝育以后多久能洗澡",
        "刀口长好拆线满一周再碰水，大约半个月，之前用湿巾擦擦就行。",
        "猫咪洗澡以后多久没精神能叫应激，绝育医院的科普讲得很清楚。",
        "手术前三天先洗干净吹干，当天就不要再沾水，免得着凉发烧。",
    ),
    (
        "高铁票改签后还能退吗",
        "换过车次的那张同样可以取消，只是临开车两天内要多扣一些钱。",
        "高铁改签窗口后面还排着退休老人，票贩子能插队，吵成了一团。",
        "换到春运期间车次的，一经换过便不再受理取消，钱不返还。",
    ),
    (
        "孩子发烧到多少度要吃药",
        "体温计超过三十八度五，或者人很难受，就按体重喂布洛芬混悬液。",
        "发烧友带孩子要到多少度的泳池吃饭都吵，药店老板看得直乐。",
        "三十八度以下精神又好，多喝水、少穿点就行，先别急着喂东西。",
    ),
]


def rows(order: tuple[int, ...] = (0, 1, 2), **changes: Any) -> Any:
    found = []
    for i, (query, *texts) in enumerate(TEXTS):
        kinds = ("positive", "lookalike", "contrary")
        turn = [(order[(i + j) % 3]) for j in range(3)]
        documents = [{"id": f"g{i}-{'abc'[n]}", "kind": kinds[k], "text": texts[k]} for n, k in enumerate(turn)]
        found.append(
            {"id": f"g{i}", "category": "test", "query": query, "documents": documents, "why": "只有一条答到了"}
        )
    found[0] |= changes
    return found


def write(path: Path, groups: Any, header: Any = HEADER) -> Any:
    lines = ([header] if header else []) + groups
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in lines), encoding="utf-8")
    return path


def rules(path: Path) -> Any:
    return {finding.rule for finding in check_traps(path).findings}


def test_good_groups_pass(tmp_path: Path) -> None:
    report = check_traps(write(tmp_path / "t.jsonl", rows()))
    assert report.passed, report.as_text()
    assert (report.total.groups, report.total.documents, report.total.lexical, report.total.bm25) == (6, 18, 6, 0)
    assert report.as_text().endswith("keeps all the rules")
    json.dumps(report.to_dict())
    assert report.to_dict()["passed"] is True


def long_text(i: Any) -> Any:
    return "".join(chr(0x4E00 + (i * 997 + j * 31) % 8000) for j in range(330))


GOOD = rows()[0]["documents"]
BROKEN = [
    ({"why": " "}, "why"),
    ({"query": "补办卡"}, "length"),
    ({"query": "补办" * 25}, "length"),
    ({"documents": GOOD[:2]}, "kinds"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"kind": "neighbour"}]}, "kinds"),
    ({"documents": [*GOOD, *(GOOD[1] | {"id": f"x{i}", "text": long_text(i)[:30]} for i in range(2))]}, "kinds"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"text": "一律不补。"}]}, "length"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"text": long_text(1)}]}, "length"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"text": GOOD[2]["text"] + "这一条就是正确答案吗"}]}, "role"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"text": GOOD[1]["text"]}]}, "twice"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"text": TEXTS[3][1]}]}, "twice"),
    ({"documents": [*GOOD[:2], GOOD[2] | {"text": TEXTS[3][1].replace("一周", "三周")}]}, "similar"),
]


@pytest.mark.parametrize(("changes", "rule"), BROKEN)
def test_every_rule_of_a_group_is_checked(tmp_path: Path, changes: Any, rule: Any) -> None:
    report = check_traps(write(tmp_path / "t.jsonl", rows(**changes)))
    assert rule in {finding.rule for finding in report.findings}
    assert not report.passed
    assert "breaks rules" in report.as_text()


def test_findings_name_line_and_group(tmp_path: Path) -> None:
    report = check_traps(write(tmp_path / "t.jsonl", rows(why="")))
    assert [str(f) for f in report.findings] == ["line 2 g0: needs a sentence that says what decides, in the field why"]


def test_groups_of_long_documents_fit(tmp_path: Path) -> None:
    documents = [d | {"text": long_text(i)} for i, d in enumerate(GOOD)]
    report = check_traps(write(tmp_path / "t.jsonl", rows(documents=documents)))
    assert report.total.long == 1
    assert not [f for f in report.findings if f.rule == "length"]


def test_a_header_with_a_canary_is_needed(tmp_path: Path) -> None:
    assert rules(write(tmp_path / "t.jsonl", rows(), header=None)) == {"canary"}


def test_lexical_positives_fail_the_suite(tmp_path: Path) -> None:
    swap = {"positive": "lookalike", "lookalike": "positive"}
    groups = rows()
    for group in groups:
        group["documents"] = [d | {"kind": swap.get(d["kind"], d["kind"])} for d in group["documents"]]
    report = check_traps(write(tmp_path / "t.jsonl", groups))
    assert {"lexical", "bm25"} <= {finding.rule for finding in report.findings}
    assert report.total.bm25 == 6


def test_a_tell_is_found(tmp_path: Path) -> None:
    groups = []
    for copy in range(4):
        for group in rows():
            first = sorted(group["documents"], key=lambda d: d["kind"] != "positive")
            documents = [d | {"id": f"{d['id']}{copy}", "text": d["text"] + "啊呀哦嗯"[copy]} for d in first]
            groups.append(
                group | {"id": f"{group['id']}{copy}", "documents": documents, "query": group["query"] + "呢" * copy}
            )
    report = check_traps(write(tmp_path / "t.jsonl", groups))
    told = [f.message for f in report.findings if f.rule == "tell"]
    assert any("document 1: 24 of 24 right, 8.0 by chance" in message for message in told)
    assert "document 1" in {tell.rule for tell in report.categories[0].hints}


def test_a_suite_is_checked_like_its_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", rows())
    suite = load_suite(path)
    assert check_traps(suite).tells == check_traps(path).tells
    assert [g.query for g in groups_of(suite)] == [row["query"] for row in rows()]
    plain = Suite("plain", suite.queries, suite.documents, suite.judgements)
    with pytest.raises(UsageError, match="no trap annotations"):
        check_traps(plain)


def test_malformed_or_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no built-in trap suite and no trap file"):
        check_traps(tmp_path / "none.jsonl")
    path = tmp_path / "bad.jsonl"
    path.write_text("{}")
    with pytest.raises(SuiteError):
        check_traps(path)


@pytest.mark.parametrize("name", sorted(p.stem for p in CATALOG.glob("*.jsonl")))
def test_the_built_in_suites_keep_the_rules(name: Any) -> None:
    report = check_traps(name)
    assert report.passed, report.as_text()


@given(st.lists(st.sampled_from([1 / 3, 1 / 4, 0.5]), max_size=40), st.integers(0, 40))
def test_chance_is_counted_exactly(chances: list[float], hits: int) -> None:
    p = at_least(hits, chances)
    assert 0 <= p <= 1
    if len(set(chances)) == 1:
        assert p == pytest.approx(stats.binom.sf(hits - 1, len(chances), chances[0]), abs=1e-12)
    if hits > len(chances):
        assert p == 0
    if hits == 0:
        assert p == pytest.approx(1)


def test_overlap_is_of_bigrams_or_words() -> None:
    assert overlap("能退款吗", "退款。能退") == pytest.approx(2 / 3)
    assert overlap("Can I refund", "refund it, I said") == pytest.approx(2 / 3)


def test_groups_across_languages_are_not_compared_by_overlap(tmp_path: Path) -> None:
    groups = [row | {"query": f"which question is number {i} about"} for i, row in enumerate(rows())]
    report = check_traps(write(tmp_path / "t.jsonl", groups))
    assert report.total.comparable == 0
    assert not [f for f in report.findings if f.rule in {"lexical", "bm25"}]
    read = groups_of(load_suite(tmp_path / "t.jsonl"))
    assert not any(map(same_script, read))
    assert "least like the query" not in {tell.rule for tell in tells(read)}
