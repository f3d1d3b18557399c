"""Queries that belong together: a column of the user's file, categories of ours."""

from pathlib import Path

from steelyard.suites.load import load_suite
from steelyard.suites.registry import open_suite


def test_a_cluster_column_is_read_by_its_name_or_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("query,document,cluster,author\nq one,d one,c1,x\nq two,d two,c1,y\nq three,d three,,y\n")
    assert [q.cluster for q in load_suite(file).queries] == ["c1", "c1", None]
    assert [q.cluster for q in load_suite(file, mapping={"cluster": "author"}).queries] == ["x", "y", "y"]


def test_zh_traps_is_clustered_by_category_and_small_suites_are_not() -> None:
    suite = open_suite("zh-traps")
    assert all(q.cluster == q.category for q in suite.queries)
    assert suite.votes == ("top1", "hit@3", "recall@10", "ndcg@10")
    assert "shortcut" in suite.card.notice
    assert not any(q.cluster for q in open_suite("en-traps").queries)
