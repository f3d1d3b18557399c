"""A length of time in words, as coarse as an estimate is."""

from __future__ import annotations

from steelyard.wording.words import say


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``1 h 5 min``; never less than one second."""
    if seconds < 90:
        return say("progress.seconds", n=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return say("progress.minutes", n=minutes)
    return say("progress.hours", h=minutes // 60, n=minutes % 60)
