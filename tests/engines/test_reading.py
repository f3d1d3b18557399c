"""What a model reads of texts is found once for counting and encoding, and never taken from another call."""

from pathlib import Path

import checkpoints
import pytest

from steelyard.engines.checkpoint.reading import Reading
from steelyard.types import Role

TEXTS = checkpoints.TEXTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reading")
    checkpoints.qwen3(place)
    return place


def fresh(folder: Path) -> Reading:
    return Reading(checkpoints.recipe("qwen3-0.6b", folder, dimension=32), folder)


def test_the_same_texts_are_tokenised_once(folder: Path) -> None:
    reading = fresh(folder)
    first = reading.uncut(TEXTS, Role.QUERY)
    assert reading.uncut(list(TEXTS), Role.QUERY) is first


@pytest.mark.parametrize(
    ("texts", "role", "instruction"),
    [
        (TEXTS, Role.DOCUMENT, None),
        (TEXTS, Role.QUERY, "Find the same thing"),
        (TEXTS, Role.QUERY, ""),
        (TEXTS[:-1], Role.QUERY, None),
        (TEXTS[::-1], Role.QUERY, None),
        ([], Role.QUERY, None),
    ],
)
def test_other_texts_are_not_mistaken_for_them(
    folder: Path, texts: list[str], role: Role, instruction: str | None
) -> None:
    reading = fresh(folder)
    before = [list(ids) for ids in reading.uncut(TEXTS, Role.QUERY)]
    assert reading.uncut(texts, role, instruction) == fresh(folder).uncut(texts, role, instruction)
    assert reading.uncut(TEXTS, Role.QUERY) == before
