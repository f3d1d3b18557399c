"""The OpenAPI document is kept, whatever is sent."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving_kit import fake_models, reranker_recipe

from fake_engines import FakeReranker
from steelyard.serving.app import build_app
from steelyard.serving.local_service import Loaded, local_service
from steelyard.serving.settings import Behaviour

instructed = reranker_recipe(query_template="{instruction}: {text}", instruction="find it")
models = fake_models() | {"fake-reranker": Loaded(instructed, FakeReranker())}
behaviour = Behaviour(hosts=frozenset({"testserver"}))
schema = schemathesis.openapi.from_asgi("/openapi.json", build_app(local_service(models, behaviour=behaviour)))
bounded = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@schema.parametrize()
@bounded
def test_every_answer_is_as_documented(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
    case.call_and_validate()


@schema.include(method="POST").parametrize()
@bounded
def test_every_answer_of_a_model_that_is_there(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body["model"] = "fake" if case.path == "/v1/embeddings" else "fake-reranker"
    case.call_and_validate(excluded_checks=[positive_data_acceptance])  # a model may refuse what another takes


def test_every_endpoint_is_documented() -> None:
    assert {o.ok().label for o in schema.get_all_operations()} == {
        "POST /v1/embeddings",
        "POST /v1/rerank",
        "POST /v2/rerank",
        "POST /rerank",
        "POST /compatible-api/v1/reranks",
        "POST /api/v1/services/rerank/text-rerank/text-rerank",
        "GET /v1/models",
        "GET /v1/models/{name}",
        "GET /health",
        "GET /ready",
        "GET /metrics",
    }
