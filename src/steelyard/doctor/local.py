"""A checkpoint that can be run in wrong ways too, so that the way which gives a target's vectors names its fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from steelyard.doctor.compare import loss
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.ruler import MEASURED_AT, Ruler, measured
from steelyard.doctor.simulated import SIMULATED
from steelyard.doctor.small_suite import Hits, hits, small_suite
from steelyard.doctor.target import Answer, Templates
from steelyard.engines.checkpoint.info import expect_packages
from steelyard.engines.checkpoint.location import locate
from steelyard.engines.checkpoint.reading import Reading
from steelyard.engines.checkpoint.rounded import small_enough, write_rounded
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.checkpoint.trunk_change import SimulatedPooling
from steelyard.engines.lazy import Lazy
from steelyard.engines.render import render
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.precision import Precision
from steelyard.engines.vectors import cut, normalised
from steelyard.models.recipe import Pooling, Recipe
from steelyard.types import Role, Vectors

if TYPE_CHECKING:
    from steelyard.engines.torch.runner import Runner
    from steelyard.engines.torch.simulate import Simulator

End = Literal["right", "missing", "doubled", "bare"]
"""What closes a text: as the recipe says, nothing, the end token twice, or no special token at either side."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a rendered text becomes a vector; the default is the recipe's own.

    Attributes:
        pooling: None for the recipe's.
        end: what closes the text.
        simulated: one of :data:`steelyard.doctor.simulated.SIMULATED`; empty for none.
    """

    pooling: Pooling | None = None
    end: End = "right"
    simulated: str = ""


RIGHT = Way()


class Reference(Protocol):
    """Where right vectors come from, and perhaps those of known wrong ways."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def within(self) -> float:
        """Loss up to which it cannot tell right from nearly right, having rounded weights itself; 0 where it can."""

    def vectors(self, texts: Sequence[str], way: Way = RIGHT) -> Vectors | None:
        """float32[n, d] of texts as the model reads them, templates on; None where it cannot say."""

    def ruler(self) -> Ruler:
        """How much this model loses at how many bits."""

    def right_hits(self) -> Hits | None:
        """bool[q] of the right vectors on the small suite; None where it cannot say."""


class LocalReference:
    """A checkpoint on this machine, run in fp32; a text that was asked for before is not run again.

    Args:
        recipe: what is right; its files are found by :func:`steelyard.engines.checkpoint.location.locate`.

    Raises:
        WeightsError: the files are not on this machine.
        MissingExtraError: torch is not installed.
    """

    within = 0.0

    def __init__(self, recipe: Recipe) -> None:
        expect_packages(("torch", "safetensors"), "running a checkpoint for the doctor", "torch")
        self._recipe = recipe
        self._folder = locate(recipe)
        self.name = str(self._folder)
        self._reading = Reading(recipe, self._folder)
        self._runner: Lazy[Runner] = Lazy(lambda: self._load(self._folder))
        self._ruler: Lazy[Ruler] = Lazy(self._measure)
        self._known: dict[tuple[str, Way], Vectors] = {}
        self._simulator: Lazy[Simulator] = Lazy(self._open_simulator)

    def vectors(self, texts: Sequence[str], way: Way = RIGHT) -> Vectors | None:
        """See :class:`Reference`."""
        new = [t for t in dict.fromkeys(texts) if (t, way) not in self._known]
        rows = [self._ids(text, way.end) for text in new]
        if not all(rows):
            return None
        if rows:
            found = self._simulated(rows, way.simulated) if way.simulated else self._pooled(rows, way)
            self._known |= {(t, way): row for t, row in zip(new, found, strict=True)}
        return np.stack([self._known[t, way] for t in texts])

    def _pooled(self, rows: list[Ids], way: Way) -> Vectors:
        return self._run(self._runner.get(), rows, way.pooling or self._recipe.pooling)

    def _simulated(self, rows: list[Ids], name: str) -> Vectors:
        way = SIMULATED[name]
        right: SimulatedPooling = "mean" if self._recipe.pooling == "none" else self._recipe.pooling
        found = self._simulator.get().pooled(rows, way.pooling or right, way.change)
        return normalised(found) if self._recipe.normalise else found

    def _open_simulator(self) -> Simulator:
        from steelyard.engines.torch.simulate import Simulator

        return Simulator(self._folder, self._recipe.architecture)

    def _ids(self, text: str, end: End) -> Ids:
        vocabulary = self._reading.vocabulary
        if end == "bare":
            return vocabulary.encode_bare([text])[0]
        ids = self._reading.cut(vocabulary.encode([text]))[0]
        return ids[:-1] if end == "missing" else [*ids, ids[-1]] if end == "doubled" else ids

    def ruler(self) -> Ruler:
        """See :class:`Reference`; runs the right probes once more on rounded weights, where these are not too large."""
        return self._ruler.get()

    def right_hits(self) -> Hits | None:
        """See :class:`Reference`."""
        suite, recipe = small_suite(), self._recipe
        queries = self.vectors([recipe.render_query(q) for q in suite.queries])
        documents = self.vectors([recipe.render_document(d) for d in suite.documents])
        return None if queries is None or documents is None else hits(queries, documents)

    def _measure(self) -> Ruler:
        if not small_enough(self._folder):
            return Ruler()
        texts = [*map(self._recipe.render_query, QUERIES), *map(self._recipe.render_document, DOCUMENTS)]
        right = self.vectors(texts)
        with TemporaryDirectory(prefix="steelyard-rounded-") as place:
            write_rounded(self._folder, MEASURED_AT, Path(place))
            rows = [self._ids(text, "right") for text in texts]
            rounded = self._run(self._load(Path(place)), rows, self._recipe.pooling)
        return Ruler() if right is None else measured(loss(rounded, right))

    def _run(self, runner: Runner, rows: list[Ids], pooling: Pooling) -> Vectors:
        pooled: Vectors = runner.pooled(rows, pooling).numpy()
        return normalised(pooled) if self._recipe.normalise else pooled

    def _load(self, folder: Path) -> Runner:
        from steelyard.engines.torch.runner import Runner

        return Runner(folder, self._recipe.architecture, Precision.FP32, TorchConfig(Precision.FP32))


class FolderTarget:
    """A model's folder used as its own files say, mistakes included: pooling, prompts, tokenizer, norm.

    Args:
        claimed: what :func:`steelyard.models.folder.read_recipe` read there.
    """

    templates: Templates = "server"

    def __init__(self, claimed: Recipe) -> None:
        self.claimed = claimed.model_copy(update={"eos_id": None})
        self.name = str(claimed.sources.folder)
        self._local = LocalReference(self.claimed)

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        """See :class:`steelyard.doctor.target.Target`; ``dimensions`` cuts and normalises."""
        rows = self._local.vectors(render(self.claimed, texts, role or Role.DOCUMENT))
        if rows is None:
            rows = np.zeros((len(texts), self.claimed.dimension), dtype=np.float32)
        return Answer(rows if dimensions is None else cut(rows, dimensions), tuple(range(len(texts))))
