"""Folders whose files say the wrong thing, and targets behind real sockets, through the command itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers_for_tests as tokenizers
import torch
from planted import Plant, Planted, qwen3_recipe, served, write_json
from safetensors.torch import load_file, save_file

from steelyard.cli.app import run
from steelyard.doctor.examine import Request, examine
from steelyard.doctor.files import compare_files
from steelyard.errors import DataError, UsageError
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe


def toml(recipe: Recipe, path: Path) -> Path:
    keys: tuple[str, ...] = (
        "name",
        "title",
        "kind",
        "architecture",
        "pooling",
        "dimension",
        "matryoshka",
        "min_dimension",
    )
    keys += ("max_tokens", "query_template", "document_template", "instruction", "eos_id", "licence", "parameters")
    path.write_text("\n".join(f"{k} = {json.dumps(getattr(recipe, k))}" for k in keys), encoding="utf-8")
    return path


@pytest.fixture
def folder(qwen3: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    copy = tmp_path / "qwen3-embedding"
    shutil.copytree(qwen3, copy)
    return copy


@pytest.fixture
def recipe_file(qwen3: Path, tmp_path: Path) -> Path:
    return toml(qwen3_recipe(qwen3), tmp_path / "tiny.toml")


def edit(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, content | changes)


def pool_by_mean(folder: Path) -> None:
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})


def pool_by_cls(folder: Path) -> None:
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True})


def lose_end(folder: Path) -> None:
    tokenizers.write(tokenizers.qwen3(), folder)


def double_end(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    single = content["post_processor"]["single"]
    single.append(single[-1])
    write_json(folder / "tokenizer.json", content)


def lose_instruction(folder: Path) -> None:
    write_json(folder / "config_sentence_transformers.json", {"prompts": {}})


def double_instruction(folder: Path) -> None:
    path = folder / "config_sentence_transformers.json"
    query = json.loads(path.read_text(encoding="utf-8"))["prompts"]["query"]
    write_json(path, {"prompts": {"query": query * 2, "document": ""}})


def another_instruction(folder: Path) -> None:
    write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {"query": "Instruct: Find code\nQuery:", "document": ""}},
    )


def template_on_documents(folder: Path) -> None:
    path = folder / "config_sentence_transformers.json"
    prompts = json.loads(path.read_text(encoding="utf-8"))["prompts"]
    write_json(path, {"prompts": prompts | {"document": "passage: "}})


def lose_norm(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    write_json(folder / "modules.json", modules[:2])


def shorten(folder: Path) -> None:
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 64})


def claim_bf16(folder: Path) -> None:
    edit(folder / "config.json", dtype="bfloat16")


SPOILED = {
    "pooling": (pool_by_mean, pool_by_cls),
    "eos-missing": (lose_end,),
    "eos-doubled": (double_end,),
    "instruction-missing": (lose_instruction,),
    "instruction-doubled": (double_instruction,),
    "template-wrong": (another_instruction, template_on_documents),
    "not-normalised": (lose_norm,),
    "silent-truncation": (shorten,),
    "dtype": (claim_bf16,),
}


@pytest.mark.parametrize(("wanted", "spoil"), [(w, s) for w, some in SPOILED.items() for s in some])
def test_what_the_files_get_wrong_is_named_first(wanted: Any, spoil: Any, folder: Path, recipe_file: Path) -> None:
    spoil(folder)
    found = examine(Request(str(folder), str(recipe_file)))
    assert found.faults[0].fault.value == wanted, found
    assert found.faults[0].sure.name == "CERTAIN"
    assert found.exit_code == 9


def test_a_healthy_folder_passes_and_says_what_was_checked(folder: Path, recipe_file: Path, qwen3: Path) -> None:
    found = examine(Request(str(folder), str(recipe_file), reference=qwen3))
    assert (found.verdict, found.faults) == ("healthy", ()), found
    assert {"files", "right vectors", "dimensions", "long texts"} <= set(found.checks)


def spoil_weights(folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    path = folder / "model.safetensors"
    changed = {name: change(name, tensor).contiguous() for name, tensor in load_file(path).items()}
    save_file(changed, path)


def shuffled(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if "layer" not in name:
        return tensor
    return tensor[torch.randperm(len(tensor), generator=torch.Generator().manual_seed(3))]


def shifted(name: str, tensor: torch.Tensor) -> torch.Tensor:
    return tensor.roll(1, 0) if name.endswith(("embed_tokens.weight", "word_embeddings.weight")) else tensor


def untrained(name: str, tensor: torch.Tensor) -> torch.Tensor:
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(len(name))) * 0.02


WEIGHTS = {"shuffled": shuffled, "token ids shifted": shifted, "untrained": untrained}


def lose_half(folder: Path) -> None:
    layers = json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    edit(folder / "config.json", num_hidden_layers=layers // 2, layer_types=None)


@pytest.mark.parametrize("name", [*WEIGHTS, "half of the layers"])
def test_wrong_weights_are_never_compared_with_themselves(
    name: str, folder: Path, recipe_file: Path, qwen3: Path
) -> None:
    lose_half(folder) if name not in WEIGHTS else spoil_weights(folder, WEIGHTS[name])
    found = examine(Request(str(folder), str(recipe_file), reference=qwen3))
    assert (found.verdict, found.exit_code) == ("faulty", 9), found
    with pytest.raises(UsageError, match="the examined folder itself"):
        examine(Request(str(folder), str(recipe_file), reference=folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WEIGHTS, "half of the layers"])
def test_wrong_weights_of_e5_are_held_against_the_shipped_file(name: str, e5: Path, tmp_path: Path) -> None:
    folder = tmp_path / "multilingual-e5-small"
    shutil.copytree(e5, folder)
    lose_half(folder) if name not in WEIGHTS else spoil_weights(folder, WEIGHTS[name])
    found = examine(Request(str(folder), "e5-small"))
    assert (found.verdict, found.exit_code) == ("faulty", 9), found
    assert found.reference.startswith("the golden file") or name == "half of the layers"


def test_another_model_is_told_by_its_config(folder: Path) -> None:
    (fault,) = compare_files(read_recipe(folder), qwen3_recipe(folder).model_copy(update={"dimension": 64}))
    assert fault.fault.value == "another-model"
    assert "dimension 32, the recipe says 64" in fault.evidence


def test_a_server_by_the_command_line(
    qwen3: Path, recipe_file: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    recipe = qwen3_recipe(qwen3)
    golden = tmp_path / "golden.json"
    with served(Planted(qwen3, recipe, Plant()), "tiny") as url:
        assert run(["doctor", url, "--recipe", str(recipe_file), "--record", str(golden)]) == 0
        capfdbinary.readouterr()
        code = run(["doctor", url, "--recipe", str(recipe_file), "--reference", str(golden), "--json"])
        healthy = json.loads(capfdbinary.readouterr().out)
        assert (code, healthy["verdict"], healthy["findings"]) == (0, "healthy", [])
    doubled = Plant(write=lambda r, t, _: r.render_query(t))
    with served(Planted(qwen3, recipe, doubled), "tiny") as url:
        code = run(["doctor", url, "--recipe", str(recipe_file), "--reference", str(golden), "--json"])
        found = json.loads(capfdbinary.readouterr().out)
        assert (code, found["findings"][0]["fault"]) == (9, "instruction-doubled")
        assert found["findings"][0]["sure"] == "certain"
    with served(Planted(qwen3, recipe, Plant(pooling="cls", dimensions="refused")), "tiny") as url:
        assert run(["doctor", url, "--recipe", str(recipe_file), "--reference", str(qwen3)]) == 9
        shown = capfdbinary.readouterr().out.decode()
        assert shown.index("wrong pooling") < shown.index("`dimensions` is refused")
    with served(Planted(qwen3, recipe, Plant(end="missing")), "tiny") as url:
        code = run(["doctor", url, "--recipe", str(recipe_file), "--reference", str(golden), "--json"])
        found = json.loads(capfdbinary.readouterr().out)
        assert code == 9
        assert [f["fault"] for f in found["findings"]] == ["eos-missing", "unlike-reference"]
        assert [f["sure"] for f in found["findings"]] == ["likely", "likely"]


def test_what_cannot_be_examined_is_said(qwen3: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--recipe"):
        examine(Request("http://127.0.0.1:9/v1", model="nobody-knows"))
    (tmp_path / "golden.json").write_text("{}")
    with pytest.raises(DataError, match="not a golden file"):
        examine(Request(str(qwen3), reference=tmp_path / "golden.json"))
    with pytest.raises(UsageError, match="--record"):
        examine(Request(str(qwen3), reference=tmp_path / "nowhere"))


WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from steelyard.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(("spoil", "code"), [(None, 4), (pool_by_mean, 9)])
def test_a_folder_without_torch_is_told_by_its_files_or_with_the_line_that_installs_it(
    folder: Path, recipe_file: Path, spoil: Callable[[Path], None] | None, code: int
) -> None:
    if spoil:
        spoil(folder)
    typed = [sys.executable, "-c", WITHOUT_TORCH, "doctor", str(folder), "--recipe", str(recipe_file)]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert "[torch]'" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
