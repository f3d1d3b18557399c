import pytest

from steelyard.text.script import is_chinese


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("退款", True), ("iPhone 15 续航", True), ("𠮷野家", True), ("〇", False), ("", False), ("refund?", False),
        ("返金はいつですか", False), ("テスト", False), ("한국어", False), ("，。", False),
    ],
)  # fmt: skip
def test_chinese_is_told_by_its_characters(text: str, chinese: bool) -> None:
    assert is_chinese(text) == chinese
