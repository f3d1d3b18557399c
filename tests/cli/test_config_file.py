"""``steelyard.toml`` fills what the command line leaves open, and a key is never written into it."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.cli.app import COMMANDS, build, run
from steelyard.cli.config_file import read_config
from steelyard.errors import UsageError

FAQ = "标准问,标准答案,得分\n怎么退款,七天内可以原路退回,1\n怎么退款,明天发货,0\n多久发货,明天发货,1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.csv").write_text(FAQ, encoding="utf-8")
    return tmp_path


def config(folder: Any, text: str) -> None:
    (folder / "steelyard.toml").write_text(text, encoding="utf-8")


def weighed(capfd: pytest.CaptureFixture[str], *arguments: Any) -> Any:
    assert run(["weigh", *arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_suite_systems_measures_and_a_commands_own_options(folder: Any, capfd: pytest.CaptureFixture[str]) -> None:
    config(
        folder,
        'suite = "faq.csv"\nsystems = ["bm25"]\nmeasures = ["nDCG@10", "Top-1"]\ncache = false\nseed = 7\n'
        '[map]\ngrade = "得分"\n[weigh]\ndepth = 2\n',
    )
    found = weighed(capfd)
    assert [s["name"] for s in found["systems"]] == ["bm25"]
    assert (found["suite"]["name"], found["measures"]) == ("faq", ["ndcg@10", "top1"])
    assert (found["seed"], found["depth"]) == (7, 2)


def test_the_command_line_comes_first(folder: Any, capfd: pytest.CaptureFixture[str]) -> None:
    config(folder, 'suite = "faq.csv"\nsystems = ["use-multilingual"]\nmeasures = ["map"]\ncache = false\n')
    found = weighed(capfd, "bm25", "bm25[k1=1.5]", "--measures", "MRR")
    assert ([s["name"] for s in found["systems"]], found["measures"]) == (["bm25", "bm25[k1=1.5]"], ["mrr"])


def test_a_cache_folder_and_keys_become_variables(folder: Any) -> None:
    config(folder, 'cache = "kept"\n[keys]\n"gpu1:30000" = "GPU1_KEY"\n')
    environment = {"STEELYARD_CACHE": "given"}
    read_config(tuple(COMMANDS), {}).export(environment)
    assert environment == {"STEELYARD_CACHE": "given", "STEELYARD_KEY_VARIABLES": "gpu1:30000=GPU1_KEY"}


WRONG = [
    ("suite = ", "cannot be read"),
    ('suit = "x"', "no key 'suit'; did you mean 'suite'?"),
    ("suite = 2020-01-01", "takes a text, a number"),
    ('map = "x"', "'map' is a table, written [map]"),
    ('[suite]\nx = "y"', "'suite' takes a value, not a table"),
    ('[weigh]\ndeep = 5\nsuite = "faq.csv"', "[weigh] has no option 'deep'; did you mean 'depth'?"),
    ('[map]\nqery = "x"', "cannot map qery"),
    ('[keys]\n"gpu1" = "sk-12345"', "takes the name of an environment variable, never the key itself"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_said_in_a_sentence_and_no_key_is_shown(
    folder: Any, capfd: pytest.CaptureFixture[str], text: Any, message: Any
) -> None:
    config(folder, text)
    assert run(["weigh", "bm25", "--suite", "faq.csv"]) == 2
    told = capfd.readouterr().err
    assert message in told
    assert "sk-12345" not in told


def test_another_file_or_none_by_a_variable(folder: Any) -> None:
    config(folder, "nothing = 1")
    assert read_config(tuple(COMMANDS), {"STEELYARD_CONFIG": ""}).path is None
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tuple(COMMANDS), {"STEELYARD_CONFIG": str(folder / "gone.toml")})
    with pytest.raises(UsageError, match="no key 'nothing'"):
        read_config(tuple(COMMANDS), {})


def help_of(capfd: pytest.CaptureFixture[str], *command: Any) -> Any:
    build(command[0])([*command, "--help"], result_action="return_value")
    return capfd.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_no_filler(capfd: pytest.CaptureFixture[str], name: Any) -> None:
    text = help_of(capfd, name)
    assert "[ARGS...]" not in text
    assert '[default: ""]' not in text
    assert "--no-json" not in text


def test_flags_that_are_on_can_be_put_off(capfd: pytest.CaptureFixture[str]) -> None:
    assert "--no-cache" in help_of(capfd, "weigh")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_the_commands(capfd: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    assert all(name in capfd.readouterr().out for name in ("weigh",))


def test_short_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["-V"]) == 0
    assert capfd.readouterr().out.strip()
