"""Texts as keys of whatever is kept by content."""

from __future__ import annotations

import hashlib


def key_of(*parts: str) -> bytes:
    """SHA-256 over length-prefixed parts, so that no two different lists of parts give the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.digest()
