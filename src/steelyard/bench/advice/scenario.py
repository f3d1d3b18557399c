"""Scenarios: what counts where. Data, one TOML file each in ``bench/advice/scenarios``, or the user's own."""

from __future__ import annotations

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from steelyard.bench.advice.system_metadata import COSTS
from steelyard.errors import DataError, UsageError

_SUFFIX = ".toml"


class Limits(BaseModel):
    """What a system must keep; None does not limit.

    Attributes:
        p95_ms: of one query.
        memory_gb: of the GPU where there is one, else of the process.
        storage_gb: of a million documents' vectors.
        dimension: of a vector, at the most.
        licences: one of these; empty allows all.
        languages: all of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    p95_ms: float | None = Field(None, gt=0)
    memory_gb: float | None = Field(None, gt=0)
    storage_gb: float | None = Field(None, gt=0)
    dimension: int | None = Field(None, gt=0)
    licences: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def under(self, given: Limits) -> Limits:
        """These limits, replaced by those that ``given`` sets; languages are required together."""
        own = given.model_dump(exclude_defaults=True)
        languages = tuple(dict.fromkeys((*self.languages, *given.languages)))
        return self.model_copy(update=own | {"languages": languages})


class Scenario(BaseModel):
    """What counts in one kind of use.

    Attributes:
        name: how it is asked for.
        costs: names of :data:`steelyard.bench.advice.system_metadata.COSTS`; the first decides between systems that
            cannot be told apart, the next where that cost cannot be told apart either. All span the Pareto front.
        measure: what to judge by; the result's first where empty.
        instruction: the systems must take an instruction.
        languages: that every model must know.
        limits: defaults that the user's own replace.
        note: for the reader; ``note_zh`` and ``title_zh`` in Chinese.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    title_zh: str = ""
    costs: tuple[str, ...] = Field(min_length=1)
    measure: str = ""
    instruction: bool = False
    languages: tuple[str, ...] = ()
    limits: Limits = Limits()
    note: str = ""
    note_zh: str = ""

    @field_validator("costs")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in COSTS:
                raise ValueError(f"there is no cost {name!r}; there is {', '.join(COSTS)}")
        return names

    def limits_with(self, given: Limits) -> Limits:
        """The limits of the scenario and of the user."""
        return self.limits.model_copy(update={"languages": (*self.limits.languages, *self.languages)}).under(given)


def scenario_names() -> tuple[str, ...]:
    """The built-in scenarios, sorted."""
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in _folder().iterdir() if f.name.endswith(_SUFFIX)))


def load_scenario(source: str) -> Scenario:
    """A built-in scenario by name, or one from a TOML file.

    Raises:
        UsageError: neither a name nor a file.
        DataError: a file that is no scenario; names the file and the field.
    """
    if source in scenario_names():
        return parse_scenario((_folder() / f"{source}{_SUFFIX}").read_text(encoding="utf-8"), source)
    path = Path(source)
    if not path.is_file():
        raise UsageError(
            f"there is no scenario {source!r}; there is {', '.join(scenario_names())}, or your own TOML file"
        )
    try:
        return parse_scenario(path.read_text(encoding="utf-8"), source)
    except (OSError, UnicodeDecodeError) as wrong:
        raise DataError(f"{source} cannot be read as a scenario: {wrong}") from None


def parse_scenario(text: str, place: str) -> Scenario:
    """A scenario from TOML text; ``place`` is named in errors, and names it where it does not name itself."""
    try:
        return Scenario.model_validate({"name": Path(place).stem} | tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise DataError(f"{place}: not TOML: {wrong}") from None
    except ValidationError as wrong:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong.errors())
        raise DataError(f"{place}: not a scenario: {faults}") from None


def _folder() -> Traversable:
    return resources.files("steelyard.bench.advice").joinpath("scenarios")
