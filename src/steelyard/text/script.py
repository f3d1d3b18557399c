"""Which script a text is in."""

from __future__ import annotations

import re

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")


def is_chinese(text: str) -> bool:
    """Whether a text holds a Chinese character and no kana, which would make it Japanese.

    >>> [is_chinese(text) for text in ("退款要多久 refund", "How long?", "返金はいつですか")]
    [True, False, False]
    """
    return _HAN.search(text) is not None and _KANA.search(text) is None
