from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from steelyard.cli import main
from steelyard.errors import SuiteError, UsageError
from steelyard.suites.labelled_tiers import LABELLED, TOPICS, open_labelled


@pytest.fixture
def reviews(tmp_path: Path) -> Any:
    (tmp_path / "sentiment").mkdir()
    lines = {name: [f"第{i}句话说的是{name}的房间" for i in range(60)] for name in ("pos", "neg")}
    lines["pos"] += ["短", "长" * 301, "这句话两边都有所以不要了吧", lines["pos"][0]]
    lines["neg"] += ["这句话两边都有所以不要了吧"]
    for name, texts in lines.items():
        (tmp_path / "sentiment" / f"{name}.txt").write_text("\ufeff" + "\n".join(texts), encoding="utf-8")
    return tmp_path


@pytest.fixture
def topics(tmp_path: Path) -> Any:
    for language in ("chinese", "english"):
        folder = tmp_path / "data" / language
        folder.mkdir(parents=True)
        for topic in TOPICS:
            text = f"categories:\n- {topic}\nconversations:\n- - 'WHAT IS {topic} {language} '\n  - an answer\n- - ''\n"
            (folder / f"{topic}.yml").write_text(text, encoding="utf-8")
    return tmp_path


def test_as_many_of_each_label_and_a_larger_size_only_adds(reviews: Any) -> None:
    small, large = (open_labelled(f"zh-reviews:{n}", folder=reviews) for n in (20, 60))
    assert Counter(small.labels) == {"approving": 10, "complaining": 10}
    assert small.commonest == 0.5
    assert set(small.texts) < set(large.texts)
    everything = open_labelled("zh-reviews", folder=reviews)
    assert (len(everything.texts), everything.name) == (120, "zh-reviews")
    assert not {"短", "长" * 301, "这句话两边都有所以不要了吧"} & set(everything.texts)
    assert all(("pos" in t) == (label == "approving") for t, label in zip(large.texts, large.labels, strict=True))


def test_the_same_seed_draws_the_same_texts(reviews: Any) -> None:
    draws = [open_labelled("zh-reviews:20", seed=seed, folder=reviews).checksum for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_topics_are_read_from_both_languages(topics: Any) -> None:
    found = open_labelled("zh-en-topics", folder=topics)
    assert len(found.texts) == 2 * len(TOPICS)
    assert found.texts[0] == "WHAT IS ai chinese"
    assert Counter(found.labels) == dict.fromkeys(TOPICS, 2)


@pytest.mark.parametrize(
    "name", ["zh-reviews:1", "zh-reviews:x", "zh-reviews:30000", "zh-en-topics:100", "no-such-suite"]
)
def test_what_there_is_not_is_refused(name: str, reviews: Any) -> None:
    with pytest.raises(UsageError, match=r"size|no labelled suite"):
        open_labelled(name, folder=reviews)


def test_a_package_that_is_not_what_it_should_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="zh-reviews cannot be made of it"):
        open_labelled("zh-reviews", folder=tmp_path)


def test_your_own_table_still_comes_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("body,kind\nhello,a\nworld,b\n", encoding="utf-8")
    assert open_labelled(path, "body", "kind").labels == ("a", "b")


@pytest.mark.parametrize("name", sorted(LABELLED))
def test_the_installed_package_gives_what_the_card_says(name: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(LABELLED[name].package)
    found = open_labelled(name)
    counts = Counter(found.labels)
    assert len(found.texts) == len(set(found.texts))
    assert min(counts.values()) >= 20
    assert main(["suites", "show", name]) == 0
    shown = capsys.readouterr().out
    assert found.card.licence in shown
    assert f"{100 / len(counts):.1f} %" in shown
