"""The faults that are planted, by family, with the doctor's names for each that are right."""

# mypy: ignore-errors
# A table of small lambdas: typing each would hide what it does.

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from faulty_model import Rows
from faulty_server import Fault, State

Texts = list[str]
Plain = Callable[[Texts], Rows]
_STOP = frozenset(
    {"a", "an", "the", "is", "are", "was", "were", "be", "to", "of", "in", "on", "at", "it", "this", "that"}
    | {"not", "or", "and", "for", "you", "your", "if", "do", "does", "how"}
)
_TRADITIONAL = str.maketrans("後頭髮亂憂鬱臺灣烏龜麵體國學", "后头发乱忧郁台湾乌龟面体国学")


def _no_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _sub(pattern: str, by: str = "") -> Callable[[str], str]:
    found = re.compile(pattern)
    return lambda text: found.sub(by, text)


def _body(text: str, change: Callable[[str], str]) -> str:
    """A change behind the template."""
    for prefix in ("query: ", "passage: "):
        if text.startswith(prefix):
            return prefix + change(text[len(prefix) :])
    return change(text)


_TEXTS: dict[str, tuple[Callable[[str], str], str]] = {
    "small letters": (str.lower, "text-changed"),
    "capitals": (str.upper, "text-changed"),
    "case folded": (str.casefold, "text-changed"),
    "no accents": (_no_accents, "text-changed"),
    "emoji removed": (_sub(r"[\U0001F000-\U0001FAFF]"), "text-changed"),
    "emoji as one sign": (_sub(r"[\U0001F000-\U0001FAFF]", "☺"), "text-changed"),
    "digits removed": (_sub(r"\d"), "text-changed"),
    "digits as 0": (_sub(r"\d", "0"), "text-changed"),
    "numbers as <num>": (_sub(r"\d+", "<num>"), "text-changed"),
    "punctuation removed": (lambda t: _body(t, _sub(r"[^\w\s]")), "text-changed"),
    "Chinese punctuation removed": (_sub(r"[，。！？；：“”‘’（）《》、]"), "text-changed"),
    "line ends removed": (_sub(r"[\r\n]+"), "text-changed"),
    "first line only": (lambda t: t.split("\n")[0], "text-changed"),
    "spaces removed": (lambda t: _body(t, _sub(r"\s+")), "text-changed"),
    "markup removed": (_sub(r"<[^>]*>"), "text-changed"),
    "markdown removed": (_sub(r"[*`#_]"), "text-changed"),
    "HTML escaped": (html.escape, "text-changed"),
    "simplified": (lambda t: t.translate(_TRADITIONAL), "text-changed"),
    "addresses removed": (_sub(r"https?://\S+"), "text-changed"),
    "addresses as URL": (_sub(r"https?://\S+", "URL"), "text-changed"),
    "mail removed": (_sub(r"\S+@\S+"), "text-changed"),
    "stop words removed": (lambda t: " ".join(w for w in t.split() if w.lower() not in _STOP), "text-changed"),
    "stems": (_sub(r"(ning|ting|ing|ed|s)\b"), "text-changed"),
    "repeated letters merged": (_sub(r"(.)\1+", r"\1"), "text-changed"),
    "repeated words merged": (_sub(r"\b(\w+)( \1\b)+", r"\1"), "text-changed"),
    "words sorted": (lambda t: " ".join(sorted(t.split())), "text-changed"),
    "ASCII only": (lambda t: t.encode("ascii", "ignore").decode(), "text-changed"),
    "question marks for others": (lambda t: t.encode("ascii", "replace").decode(), "text-changed"),
    "Latin-1 read": (lambda t: t.encode().decode("latin-1"), "text-changed"),
    "Chinese removed": (_sub(r"[\u4e00-\u9fff]"), "text-changed"),
    "Cyrillic removed": (_sub(r"[\u0400-\u04ff\u0600-\u06ff]"), "text-changed"),
    "symbols removed": (_sub(r"[+<>$#%=&|~^]"), "text-changed"),
    "last sign removed": (lambda t: t.rstrip("?!.。？！"), "text-changed"),
    "full stop added": (lambda t: t if t.endswith((".", "。", "?", "!")) else t + ".", "text-changed"),
    "quotes made straight": (lambda t: t.translate(str.maketrans("“”‘’", "\"\"''")), "text-changed"),
    "zero width removed": (_sub(r"[\u200b\u00ad\ufeff]"), "text-changed"),
    "brackets removed": (_sub(r"[(（][^)）]*[)）]"), "text-changed"),
    "reversed": (lambda t: t[::-1], "text-changed"),
    "in quotes": (lambda t: f'"{t}"', "text-changed"),
    "full stop behind": (lambda t: f"{t}.", "text-changed"),
    "cut at 300 characters": (lambda t: t[:300], "silent-truncation"),
    "cut at 512 bytes": (lambda t: t.encode()[:512].decode(errors="ignore"), "silent-truncation"),
    "cut at 1,000 characters": (lambda t: t[:1000], "silent-truncation"),
    "cut at 1,024 bytes": (lambda t: t.encode()[:1024].decode(errors="ignore"), "silent-truncation"),
}


def _pieces(size: int) -> Callable[[State, Texts, Plain], Rows]:
    def answer(_: State, texts: Texts, plain: Plain) -> Rows:
        found = []
        for text in texts:
            words = text.split(" ")
            parts = [" ".join(words[i : i + size]) for i in range(0, len(words), size)]
            mean = plain(parts).mean(axis=0)
            found.append(mean / np.linalg.norm(mean))
        return np.stack(found).astype(np.float32)

    return answer


_IDS: dict[str, tuple[Callable[[list[int]], list[int]], str, str]] = {
    "closing token missing": (lambda r: r[:-1], "pooling", "eos-missing"),
    "closing token twice": (lambda r: [*r, r[-1]], "pooling", "eos-doubled"),
    "no special tokens": (lambda r: r[1:-1] or r, "pooling", "eos-missing"),
    "first token missing": (lambda r: r[1:], "pooling", "eos-missing"),
    "first token twice": (lambda r: [r[0], *r], "pooling", "eos-doubled"),
    "ids one too high": (lambda r: [min(i + 1, 250001) for i in r], "weights", "another-model"),
    "ids of fairseq": (lambda r: [max(0, i - 1) if i > 3 else i for i in r], "weights", "another-model"),
    "every tenth token unknown": (lambda r: [3 if k % 10 == 9 else i for k, i in enumerate(r)], "weights", "?"),
    "cut at 64 tokens": (lambda r: r if len(r) <= 64 else [*r[:63], r[-1]], "lengths", "silent-truncation"),
    "cut at 128 tokens": (lambda r: r if len(r) <= 128 else [*r[:127], r[-1]], "lengths", "silent-truncation"),
    "cut at 256 tokens": (lambda r: r if len(r) <= 256 else [*r[:255], r[-1]], "lengths", "silent-truncation"),
    "cut at 384 tokens": (lambda r: r if len(r) <= 384 else [*r[:383], r[-1]], "lengths", "silent-truncation"),
    "beginning dropped at 200": (lambda r: r if len(r) <= 200 else [r[0], *r[-199:]], "lengths", "long-texts"),
    "middle dropped at 200": (lambda r: r if len(r) <= 200 else r[:100] + r[-100:], "lengths", "long-texts"),
    "beginning dropped at 512": (lambda r: r if len(r) <= 512 else [r[0], *r[-511:]], "lengths", "long-texts"),
    "middle dropped at 512": (lambda r: r if len(r) <= 512 else r[:256] + r[-256:], "lengths", "long-texts"),
}


def _noise(size: float) -> Callable[[State, Texts, Plain], Rows]:
    def answer(state: State, texts: Texts, plain: Plain) -> Rows:
        found = plain(texts)
        draw = np.random.default_rng(next(state.count))
        noisy = found + draw.standard_normal(found.shape) * size / found.shape[1] ** 0.5
        return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)

    return answer


def _now_and_then(share: float, kind: str) -> Callable[[State, Texts, Plain], Rows]:
    """A share of the requests, or of the answers, is answered by a bad replica."""

    def answer(state: State, texts: Texts, plain: Plain) -> Rows:
        found = plain(texts).copy()
        whole = state.random.random() < share
        for i in range(len(found)):
            if kind == "replica":
                if whole:
                    found[i] = np.roll(found[i], 7)
            elif state.random.random() < share:
                draw = np.random.default_rng(next(state.count))
                other = {
                    "noise": lambda d=draw, v=found[i]: d.standard_normal(len(v)),
                    "other": lambda d=draw: found[int(d.integers(len(found)))] if len(found) > 1 else -found[0],
                    "constant": lambda v=found[i]: np.ones(len(v)),
                }[kind]()
                found[i] = other / np.linalg.norm(other)
        return found.astype(np.float32)

    return answer


def _in_batch(when: Callable[[int], bool], change: Callable[[Rows, Texts], Rows]) -> Callable[..., Rows]:
    def answer(_: State, texts: Texts, plain: Plain) -> Rows:
        found = plain(texts)
        return change(found.copy(), texts) if when(len(texts)) else found

    return answer


def _padded(found: Rows, texts: Texts) -> Rows:
    longest = max(map(len, texts))
    pad = found.mean(axis=0)
    weights = np.array([[(longest - len(t)) / longest * 0.5] for t in texts])
    mixed = found * (1 - weights) + weights * np.roll(pad, 3)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def _sorted(found: Rows, texts: Texts) -> Rows:
    return found[np.argsort([len(t) for t in texts], kind="stable")]


def _duplicates(found: Rows, texts: Texts) -> Rows:
    seen: set[str] = set()
    for i, text in enumerate(texts):
        if text in seen:
            found[i] = found[0] if i else found[i]
            found[i] = np.roll(found[i], 5)
        seen.add(text)
    return found


def _together(kind: str) -> Callable[[State, Texts, Plain], Rows]:
    def answer(state: State, texts: Texts, plain: Plain) -> Rows:
        found = plain(texts)
        last, state.last = state.last, found
        if state.busy <= 1 or last is None:
            return found
        spoilt = found.copy()
        if kind == "crossed":
            spoilt[0] = last[0]
        else:
            spoilt = np.roll(found, 11, axis=1)
        return spoilt

    return answer


def _cached(key: Callable[[str], str]) -> Callable[[State, Texts, Plain], Rows]:
    def answer(state: State, texts: Texts, plain: Plain) -> Rows:
        known = dict(state.cache)
        found = plain(texts)
        for i, text in enumerate(texts):
            if key(text) in known:
                found[i] = known[key(text)]
            state.cache.setdefault(key(text), found[i])
        return found

    return answer


def _rows(change: Callable[[Rows], Any]) -> Callable[[Rows, Sequence[str]], Rows]:
    return lambda rows, _: np.asarray(change(rows.copy()), dtype=np.float32)


def _set(rows: Rows, places: Any, value: Any) -> Rows:
    rows[:, places] = value
    return rows


def _by_length(rows: Rows, texts: Sequence[str]) -> Rows:
    return (rows * np.array([[0.5 + len(t) / 50] for t in texts])).astype(np.float32)


_NUMBERS: dict[str, tuple[Callable[[Rows], Any], str]] = {
    "not normalised": (lambda r: r * 7.3, "not-normalised"),
    "one number's sign": (lambda r: _set(r, 17, -r[:, 17]), "wrong-numbers"),
    "a half of the signs": (lambda r: _set(r, slice(0, 192), -r[:, :192]), "wrong-numbers"),
    "the last 128 are 0": (lambda r: _set(r, slice(256, 384), 0), "wrong-numbers"),
    "the first is 0": (lambda r: _set(r, 0, 0), "wrong-numbers"),
    "numbers turned round": (lambda r: r[:, ::-1], "wrong-numbers"),
    "numbers rolled by one": (lambda r: np.roll(r, 1, axis=1), "wrong-numbers"),
    "two numbers exchanged": (lambda r: r[:, [1, 0, *range(2, r.shape[1])]], "wrong-numbers"),
    "one decimal": (lambda r: r.round(1), "rounded-numbers"),
    "two decimals": (lambda r: r.round(2), "rounded-numbers"),
    "8-bit numbers": (lambda r: (r * 127 / np.abs(r).max(1, keepdims=True)).round() / 127, "rounded-numbers"),
    "4-bit numbers": (lambda r: (r * 7 / np.abs(r).max(1, keepdims=True)).round() / 7, "rounded-numbers"),
    "signs alone": (lambda r: np.sign(r) / r.shape[1] ** 0.5, "rounded-numbers"),
    "absolute values": (np.abs, "wrong-numbers"),
    "ReLU behind": (lambda r: np.maximum(r, 0), "wrong-numbers"),
    "clipped at 0.08": (lambda r: r.clip(-0.08, 0.08), "wrong-numbers"),
    "softmax behind": (lambda r: np.exp(r) / np.exp(r).sum(1, keepdims=True), "wrong-numbers"),
    "tanh of ten times": (lambda r: np.tanh(10 * r) / np.linalg.norm(np.tanh(10 * r), axis=1)[:, None], "?"),
    "a common mean taken off": (lambda r: r - 0.05, "not-normalised"),
    "numbers squared": (lambda r: np.sign(r) * r**2 / np.linalg.norm(r**2, axis=1)[:, None], "?"),
    "pairs averaged": (lambda r: np.repeat(r.reshape(len(r), -1, 2).mean(2), 2, axis=1), "not-normalised"),
    "normalised by the sum": (lambda r: r / np.abs(r).sum(1, keepdims=True), "not-normalised"),
    "normalised by the largest": (lambda r: r / np.abs(r).max(1, keepdims=True), "not-normalised"),
}
_BODIES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "numbers as texts": (lambda b: _each(b, lambda v: [str(x) for x in v]), "wrong-answer-shape"),
    "NaN in one": (lambda b: _each(b, lambda v: [float("nan"), *v[1:]]), "not-finite"),
    "infinity in one": (lambda b: _each(b, lambda v: [*v[:-1], float("inf")]), "not-finite"),
    "null in one": (lambda b: _each(b, lambda v: [None, *v[1:]]), "not-finite"),
    "the last answer missing": (lambda b: b | {"data": b["data"][:-1]}, "wrong-answer-shape"),
    "numbered from 1": (
        lambda b: b | {"data": [d | {"index": d["index"] + 1} for d in b["data"]]},
        "wrong-answer-shape",
    ),
    "all numbered 0": (lambda b: b | {"data": [d | {"index": 0} for d in b["data"]]}, "wrong-answer-shape"),
    "list turned round, no index": (
        lambda b: b | {"data": [d | {"index": i} for i, d in enumerate(b["data"][::-1])]},
        "order",
    ),
}


def _each(body: dict[str, Any], change: Callable[[list[float]], list[Any]]) -> dict[str, Any]:
    return body | {"data": [d | {"embedding": change(d["embedding"])} for d in body["data"]]}


_TRUNKS: dict[str, tuple[str, str]] = {
    "last layer missing": ("layers:1", "wrong-layers"),
    "last two layers missing": ("layers:2", "wrong-layers"),
    "half of the layers": ("layers:6", "wrong-layers"),
    "first layer missing": ("skip:0", "wrong-layers"),
    "sixth layer missing": ("skip:5", "?"),
    "two layers exchanged": ("swap:4,5", "?"),
    "ReLU": ("activation:relu", "wrong-activation"),
    "SiLU": ("activation:silu", "wrong-activation"),
    "tanh": ("activation:tanh", "?"),
    "positions one too high": ("shift1", "wrong-positions"),
    "positions two too high": ("shift2", "wrong-positions"),
    "no positions": ("no-positions", "wrong-positions"),
    "segment 1": ("type-1", "wrong-segments"),
    "no segment": ("weights:no-type", "wrong-segments"),
    "no biases": ("weights:no-bias", "wrong-norms"),
    "no biases of norms": ("weights:no-norm-bias", "?"),
    "norm of embeddings without weights": ("weights:no-norm-weight", "?"),
    "large epsilon": ("weights:norm-eps", "?"),
    "shuffled": ("weights:shuffled", "another-model"),
    "embeddings rolled by one": ("weights:rolled", "another-model"),
    "noise on weights": ("weights:noise", "quantisation-loss"),
    "a matrix transposed": ("weights:transposed", "?"),
    "last layer of zeros": ("weights:last-zero", "?"),
    "4 bits": ("weights:bits4", "quantisation-loss"),
    "5 bits": ("weights:bits5", "quantisation-loss"),
    "3 bits": ("weights:bits3", "quantisation-loss"),
}
_POOLINGS = ("cls", "last", "max", "min", "weighted", "inner", "before-last", "second", "first-last", "penultimate")
_POOLINGS += ("cls-penultimate", "embeddings", "mean+max", "median")


def _answers() -> dict[str, Fault]:
    many: dict[str, tuple[str, str, Callable[..., Rows]]] = {}
    for share in (0.5, 0.25, 0.1):
        many[f"bad replica, {share:.0%}"] = ("repeats", "replicas-differ", _now_and_then(share, "replica"))
    for share in (0.1, 0.05, 0.02):
        many[f"noise for an answer, {share:.0%}"] = ("repeats", "rare-wrong-answers", _now_and_then(share, "noise"))
        many[f"another text's, {share:.0%}"] = ("repeats", "rare-wrong-answers", _now_and_then(share, "other"))
    for size in (0.5, 0.1, 0.03):
        many[f"noise of {size}"] = ("repeats", "unstable-answers", _noise(size))
    for least in (2, 9, 40, 100):
        many[f"sorted from {least} texts on"] = ("batches", "order", _in_batch(lambda n, k=least: n >= k, _sorted))
    many["turned round from 33"] = ("batches", "order", _in_batch(lambda n: n >= 33, lambda r, _: r[::-1]))
    many["rolled by one from 17"] = ("batches", "order", _in_batch(lambda n: n >= 17, lambda r, _: np.roll(r, 1, 0)))
    for least in (2, 10, 60):
        many[f"padding read from {least}"] = (
            "batches",
            "batch-dependent",
            _in_batch(lambda n, k=least: n >= k, _padded),
        )
    many["duplicates spoilt"] = ("batches", "duplicates", _in_batch(lambda n: n > 1, _duplicates))
    many["the 65th and later wrong"] = (
        "batches",
        "batch-dependent",
        _in_batch(lambda n: n > 64, lambda r, _: np.vstack([r[:64], np.roll(r[64:], 9, 1)])),
    )
    many["the last of 32 wrong"] = (
        "batches",
        "batch-dependent",
        _in_batch(lambda n: n >= 32, lambda r, _: np.vstack([r[:-1], np.roll(r[-1:], 9, 1)])),
    )
    many["another client's answer"] = ("batches", "crossed-answers", _together("crossed"))
    many["wrong when busy"] = ("batches", "crossed-answers", _together("rolled"))
    for length in (20, 50, 100, 300):
        many[f"cache of {length} characters"] = ("batches", "cache-key", _cached(lambda t, k=length: t[:k]))
    many["cache by length"] = ("batches", "rare-wrong-answers", _cached(lambda t: str(len(t))))
    many["pieces of 100 words"] = ("lengths", "long-texts", _pieces(100))
    many["pieces of 450 words"] = ("lengths", "long-texts", _pieces(450))
    return {name: Fault(family, (wanted,), answer=how) for name, (family, wanted, how) in many.items()}


def _templates() -> dict[str, Fault]:
    def doubled(text: str) -> str:
        return text[: text.index(": ") + 2] + text if ": " in text[:10] else text

    swapped = {"query: ": "passage: ", "passage: ": "query: "}

    def swap(text: str) -> str:
        return next((new + text[len(old) :] for old, new in swapped.items() if text.startswith(old)), text)

    changes: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
        "doubled": (doubled, ("template-doubled",)),
        "query on all": (lambda t: f"query: {t}", ("template-doubled",)),
        "passage on all": (lambda t: f"passage: {t}", ("template-doubled",)),
        "taken off": (_sub(r"^(query|passage): "), ("template-missing",)),
        "swapped": (swap, ("template-wrong",)),
        "passage for query": (lambda t: t.replace("query: ", "passage: ", 1), ("template-wrong",)),
        "query for passage": (lambda t: t.replace("passage: ", "query: ", 1), ("template-wrong",)),
        "no space": (_sub(r"^(query|passage): ", r"\1:"), ("template-wrong",)),
        "two spaces": (_sub(r"^(query|passage): ", r"\1:  "), ("template-wrong",)),
        "line end": (_sub(r"^(query|passage): ", r"\1:\n"), ("template-wrong",)),
        "capitals": (_sub(r"^(query|passage): ", "QUERY: "), ("template-wrong",)),
        "Chinese colon": (_sub(r"^(query|passage): ", r"\1："), ("template-wrong",)),
        "search_query": (_sub(r"^(query|passage): ", "search_query: "), ("template-wrong",)),
        "another instruction": (_sub(r"^query: ", "Represent this sentence: "), ("template-wrong",)),
        "chat around": (lambda t: f"<|user|>{t}<|end|>", ("template-wrong", "template-doubled", "text-changed")),
        "markers written out": (lambda t: f"<s>{t}</s>", ("template-wrong", "eos-doubled", "text-changed")),
    }
    return {f"template: {n}": Fault("templates", w, text=c) for n, (c, w) in changes.items()}


def faults() -> dict[str, Fault]:
    """Every fault by its name."""
    found = {n: Fault("texts", (w,), text=c) for n, (c, w) in _TEXTS.items()}
    found |= {n: Fault(f, (w,), ids=c) for n, (c, f, w) in _IDS.items()}
    found |= _answers() | _templates()
    found |= {n: Fault("numbers", (w,), rows=_rows(c)) for n, (c, w) in _NUMBERS.items()}
    found["scale by length"] = Fault("numbers", ("not-normalised",), rows=_by_length)
    found |= {n: Fault("numbers", (w,), body=c) for n, (c, w) in _BODIES.items()}
    found |= {f"pooled: {p}": Fault("pooling", ("pooling", "wrong-layers"), pooling=p) for p in _POOLINGS}
    found |= {n: Fault("weights", (w,), trunk=t) for n, (t, w) in _TRUNKS.items()}
    return {
        n: replace(f, wanted=("unexplained-deviation",) if f.wanted == ("?",) else f.wanted) for n, f in found.items()
    }
