"""Texts of about 60 tokens, 8 to 512 of them, in Chinese and English; the same in every run."""

from __future__ import annotations

from random import Random

PARTS = (
    "杆秤是市集上称量货物的老法子",
    "退款需在签收后三十天内提出申请",
    "这条鱼足有三斤重，价钱却不贵",
    "苹果公司发布了新手机",
    "会议改到下周三上午十点",
    "the delivery was late and nobody called",
    "interest rates were cut by half a point",
    "please restart the router before you write to us",
    "合同自双方签字盖章之日起生效",
    "患者连续两周低热伴有干咳",
    "画龙点睛，用来形容文章的关键一笔",
    "a balance weighs what it is given and nothing else",
)


def texts(count: int, seed: int = 0, median: int = 42) -> list[str]:
    """So many texts whose lengths in tokens are log-normal about the median; their mean is about 60."""
    random = Random(seed)
    found = []
    for _ in range(count):
        wanted = min(max(random.lognormvariate(0, 0.75) * median, 8), 512)
        parts: list[str] = []
        while sum(map(_tokens, parts)) < wanted:
            parts.append(random.choice(PARTS))
        found.append("，".join(parts))
    return found


def documents(count: int, seed: int = 1) -> list[str]:
    """Documents of about 72 tokens each."""
    random = Random(seed)
    return ["，".join(random.choices(PARTS, k=7)) for _ in range(count)]


def _tokens(part: str) -> int:
    return len(part.split()) if part.isascii() else len(part) * 2 // 3
