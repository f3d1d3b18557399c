from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from steelyard.text.passages import passages

TEXTS = st.text(alphabet=st.sampled_from("退款。！？\n \t.a#-1；…」"), max_size=300)


@given(TEXTS, st.integers(1, 40), st.integers(0, 39))
def test_passages_are_parts_of_the_text_that_hold_all_of_it(text: str, size: int, overlap: int) -> None:
    found = passages(text, size, min(overlap, size - 1))
    assert all(p.text == text[p.start : p.stop] and 0 < len(p.text) <= size for p in found)
    held = {i for p in found for i in range(p.start, p.stop)}
    assert all(i in held or c.isspace() for i, c in enumerate(text))
    assert [p.start for p in found] == sorted({p.start for p in found})


@given(TEXTS, st.integers(2, 40), st.data())
def test_the_overlap_is_bounded(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    found = passages(text, size, overlap)
    assert all(a.stop - b.start <= overlap for a, b in pairwise(found))


def test_chinese_sentences_stay_whole_with_their_closing_marks() -> None:
    text = "他说：“可以退款。”我们十日内到账！\n\n第二段。"
    assert [p.text for p in passages(text, size=12, overlap=0)] == [
        "他说：“可以退款。”",
        "我们十日内到账！",
        "第二段。",
    ]


def test_a_sentence_is_repeated_where_the_overlap_has_room_for_it() -> None:
    found = passages("一二三。四五六。七八九。", size=8, overlap=4)
    assert [p.text for p in found] == ["一二三。四五六。", "四五六。七八九。"]


def test_markdown_headings_and_list_items_begin_passages() -> None:
    assert [p.text for p in passages("# 甲\n文字一\n# 乙\n- 项", size=8, overlap=0)] == ["# 甲\n文字一", "# 乙\n- 项"]
