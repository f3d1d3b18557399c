"""What a reader sees: every sentence in two languages, and every number in one format."""

from steelyard.wording.words import LANGUAGES, Said, Wording, load_wording, say

__all__ = ["LANGUAGES", "Said", "Wording", "load_wording", "say"]
