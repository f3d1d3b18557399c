"""This project's own server passes, whoever puts the templates on."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted import qwen3_recipe

from served import serving_app
from steelyard.doctor.case import Case
from steelyard.doctor.diagnose import diagnose
from steelyard.doctor.local import LocalReference
from steelyard.doctor.target import ServerConfig, ServerTarget, Templates
from steelyard.engines.torch.open import encoder_fp32, encoder_int16
from steelyard.serving.app import build_app
from steelyard.serving.local_service import Loaded, local_service


@pytest.mark.parametrize("templates", ["client", "server"])
def test_the_own_server_is_healthy(templates: Templates, qwen3: Path) -> None:
    recipe = qwen3_recipe(qwen3)
    app = build_app(local_service({"tiny": Loaded(recipe, encoder_fp32(recipe))}))
    with serving_app(app) as url:
        target = ServerTarget(ServerConfig(f"{url}/v1", "tiny", templates=templates))
        found = diagnose(Case(target, recipe, LocalReference(recipe)))
    assert (found.verdict, found.findings, found.skipped) == ("healthy", (), ()), found


def test_the_own_server_in_int16_is_healthy_and_told_from_fp32(qwen3: Path) -> None:
    recipe = qwen3_recipe(qwen3)
    app = build_app(local_service({"tiny": Loaded(recipe, encoder_int16(recipe))}))
    with serving_app(app) as url:
        found = diagnose(
            Case(ServerTarget(ServerConfig(f"{url}/v1", "tiny", templates="server")), recipe, LocalReference(recipe))
        )
    assert (found.verdict, found.faults) == ("healthy", ()), found
    assert all("float16, or steelyard's int16, makes them" in finding.what for finding in found.findings), found
