"""The gateway over real sockets in front of servers that fail in every way that servers do."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from serving_kit import Serve, recipe, reranker_recipe

from steelyard.errors import UsageError
from steelyard.models.recipe import Sources
from steelyard.serving.gateway.service import GatewayConfig, gateway_service
from steelyard.serving.gateway.upstream import Upstream
from steelyard.serving.gateway.upstreams import Retries
from steelyard.serving.models import Wanted
from steelyard.serving.settings import Behaviour, Limits
from upstream_kit import NAME, Asked, Bad, good, http, vectors
from waiting import until

MODEL = recipe("fake", sources=Sources(huggingface=NAME))
QUICK = Retries(rounds=3, wait=0.01, hang=0.3)
Start = Callable[..., str]


@pytest.fixture
def bad() -> Iterator[Callable[..., Bad]]:
    made: list[Bad] = []

    def make(*args: Any, **fields: Any) -> Bad:
        made.append(Bad(*args, **fields))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def start(serve: Serve) -> Start:
    def begin(*upstreams: Bad | str, models: Any = (MODEL,), retries: Retries = QUICK, **config: Any) -> str:
        urls = tuple(u if isinstance(u, str) else u.url for u in upstreams)
        settings = GatewayConfig(urls, retries=retries, **config)
        return serve(gateway_service([Wanted(m) for m in models], settings, Limits(), Behaviour()))

    return begin


def ask(url: str, texts: str | list[str] = "甲", seconds: float = 20, **body: Any) -> httpx.Response:
    headers = {"X-Request-Timeout": str(seconds)}
    return httpx.post(
        f"{url}/v1/embeddings", json={"model": "fake", "input": texts} | body, headers=headers, timeout=30
    )


def right(answer: httpx.Response, *texts: str) -> bool:
    assert answer.status_code == 200, answer.text
    rows = np.array([d["embedding"] for d in answer.json()["data"]])
    np.testing.assert_allclose(rows, vectors(list(texts)), atol=1e-6)
    return True


def half(asked: Asked) -> None:
    asked.connection.sendall(good(asked.body)[:-40])


def rows_of(asked: Asked, change: Callable[[list[dict[str, Any]]], Any]) -> bytes:
    data = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(vectors(asked.body["input"]))]
    changed = change(data)
    return http(200, {"data": data if changed is None else changed})


WRONG: dict[str, Callable[[Asked], bytes | None]] = {
    "closed without a word": lambda a: None,
    "half a body": half,
    "half a JSON document": lambda a: http(200, '{"data": [{"index": 0, "embed'),
    "a page": lambda a: http(200, "<html>welcome</html>", kind="text/html"),
    "nothing": lambda a: http(200, ""),
    "another shape": lambda a: http(200, {"embeddings": [[1.0]]}),
    "a row too few": lambda a: rows_of(a, lambda d: d[:-1]),
    "a row too many": lambda a: rows_of(a, lambda d: [*d, d[0]]),
    "an index twice": lambda a: rows_of(a, lambda d: [d[0], *d[:-1]]),
    "no index": lambda a: rows_of(a, lambda d: [{"embedding": r["embedding"]} for r in d]),
    "NaN": lambda a: rows_of(a, lambda d: d[0]["embedding"].__setitem__(3, float("nan"))),
    "too short": lambda a: rows_of(a, lambda d: [r | {"embedding": r["embedding"][:31]} for r in d]),
    "empty vectors": lambda a: rows_of(a, lambda d: [r | {"embedding": []} for r in d]),
    "no vectors": lambda a: rows_of(a, lambda d: [r | {"embedding": None} for r in d]),
    "not gzip": lambda a: http(200, "not gzip", "Content-Encoding: gzip\r\n"),
    "too large": lambda a: http(200, b" " * (3 << 20)),
    "a redirect": lambda a: http(307, "", "Location: http://127.0.0.1:1/elsewhere\r\n"),
    "another key": lambda a: http(401, {"error": {"message": "no such key"}}),
    "another model": lambda a: http(404, {"error": {"message": "no such model"}}),
    "TEI's backend failure": lambda a: http(424, {"error": "CUDA", "error_type": "backend"}),
    "a failure": lambda a: http(500, {"error": {"message": "boom"}}),
    "loading": lambda a: http(503, {"detail": "loading"}),
    "busy": lambda a: http(429, {"error": "overloaded", "error_type": "overloaded"}, "Retry-After: 60\r\n"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_another_upstream_answers_what_one_gets_wrong(bad: Any, start: Start, fault: str) -> None:
    broken, whole = bad(WRONG[fault]), bad()
    url = start(broken, whole, batch=2)
    for texts in (["甲", "乙"], ["丙", "丁"], ["戊", "己"]):
        assert right(ask(url, texts), *texts)
    assert broken.posts


@pytest.mark.parametrize("fault", WRONG)
def test_a_lone_upstream_that_is_wrong_is_said_to_be(bad: Any, start: Start, fault: str) -> None:
    broken = bad(WRONG[fault])
    answer = ask(start(broken, batch=2), ["甲", "乙"])
    assert answer.status_code == (429 if fault == "busy" else 502), answer.text
    assert broken.url in answer.json()["error"]["message"]
    assert int(answer.headers.get("Retry-After", "1")) <= 60


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("NaN", "not finite"),
        ("a page", "<html>welcome"),
        ("too large", "more than"),
        ("a redirect", "http://127.0.0.1:1/elsewhere"),
        ("empty vectors", "gave [] instead of a vector"),
    ],
)
def test_what_was_wrong_is_named(bad: Any, start: Start, fault: str, said: str) -> None:
    assert said in ask(start(bad(WRONG[fault]), batch=2), ["甲", "乙"]).json()["error"]["message"]


def test_an_upstream_without_a_recipe_that_gives_nothing(bad: Any, start: Start) -> None:
    answer = ask(start(bad(WRONG["empty vectors"]), models=()), model=NAME)
    assert answer.status_code == 502
    assert "gave [] instead of a vector" in answer.text


def test_thousands_of_failures_in_a_row_are_failures_still() -> None:
    upstream = Upstream.read("http://h", None)
    for _ in range(3000):
        upstream.rests_until = 0.0
        upstream.failed()
    assert upstream.rests_until - time.monotonic() <= 30


def test_failures_side_by_side_are_one(bad: Any, start: Start) -> None:
    upstream = Upstream.read("http://h", None)
    for _ in range(100):
        upstream.failed()
    assert upstream.failures == 1
    assert upstream.rests_until - time.monotonic() <= 0.5


def test_what_hangs_is_left_for_another(bad: Any, start: Start) -> None:
    over = threading.Event()

    def hang(asked: Asked) -> None:
        silent.models = None
        over.wait(60)  # beyond the patience of ask()

    silent, whole = bad(hang), bad()
    url = start(silent, whole)
    for text in "甲乙丙丁":
        assert right(ask(url, text), text)
    assert len(silent.posts) == 1
    assert f'result="failed",upstream="{silent.url}/v1"}} 1.0' in httpx.get(f"{url}/metrics").text
    over.set()


def test_what_is_slow_but_answers_is_waited_for(bad: Any, start: Start) -> None:
    def slow(asked: Asked) -> bytes:
        time.sleep(1.2)
        return good(asked.body)

    one, other = bad(slow), bad(slow)
    assert right(ask(start(one, other)), "甲")
    assert len(one.posts) + len(other.posts) == 1


def test_an_idle_upstream_is_asked_when_one_lists_models_and_answers_nothing(bad: Any, start: Start) -> None:
    held = threading.Event()

    def hang(asked: Asked) -> None:
        held.wait(20)

    silent, whole = bad(hang), bad()
    url = start(silent, whole, retries=Retries(rounds=1, hang=60, hedge=0.01))
    assert right(ask(url, seconds=20), "甲")
    assert silent.posts[0].gone(5)  # what it was asked is given up
    assert right(ask(url, "乙", seconds=20), "乙")
    held.set()
    assert [len(silent.posts), len(whole.posts)] == [1, 2]  # it rests: the second request did not wait for it


def test_what_refuses_the_texts_is_believed_while_another_hangs(bad: Any, start: Start) -> None:
    held = threading.Event()
    silent, strict = bad(lambda asked: held.wait(20) and None), bad(lambda asked: http(400, {"message": "no"}))
    url = start(silent, strict, retries=Retries(rounds=1, hang=60, hedge=0.01))
    assert ask(url, seconds=20).status_code == 400
    held.set()


@pytest.mark.parametrize("place", ["http://例子/v1", "/\udcff\udcfe", "http://[::1", "\x1b[31m", "http://x:99999999/"])
def test_a_redirect_to_what_is_no_address(bad: Any, start: Start, place: str) -> None:
    sent = f"Location: {place}\r\n".encode("utf-8", "surrogateescape")
    answer = http(307, {}).replace(b"Content-Type", sent + b"Content-Type", 1)
    assert ask(start(bad(lambda asked: answer))).status_code == 502


def test_what_hangs_until_the_deadline_is_not_asked_first_again(bad: Any, start: Start) -> None:
    over = threading.Event()

    def hang(asked: Asked) -> None:
        over.wait(20)

    silent, whole = bad(hang), bad()
    url = start(silent, whole, retries=Retries(rounds=3, wait=0.01, hang=0.3, hedge=2))
    late = ask(url, seconds=1)
    assert late.json()["error"]["code"] == "deadline"
    assert right(ask(url), "甲")
    assert len(silent.posts) == 1
    over.set()


def test_a_rested_upstream_is_tried_by_one_request_and_then_trusted(bad: Any, start: Start) -> None:
    broken = bad(WRONG["a failure"])
    whole = bad()
    url = start(broken, whole)
    assert right(ask(url, "甲"), "甲")
    before = len(broken.posts)
    broken.habit = lambda asked: good(asked.body)
    texts = (f"t{i}" for i in itertools.count())
    until(lambda: right(ask(url, text := next(texts)), text) and len(broken.posts) > before + 1)


def test_no_attempt_after_the_deadline_and_none_while_asked_to_wait(bad: Any, start: Start) -> None:
    busy = bad(WRONG["busy"])
    url = start(busy)
    answers = [ask(url, seconds=30), ask(url, "乙", seconds=30)]
    assert [a.status_code for a in answers] == [429, 429]
    assert 50 <= int(answers[0].headers["Retry-After"]) <= 60
    assert len(busy.posts) == 1


def test_a_short_wait_that_is_asked_for_is_kept(bad: Any, start: Start) -> None:
    times: list[float] = []

    def once(asked: Asked) -> bytes:
        times.append(time.monotonic())
        return good(asked.body) if len(times) > 1 else http(429, {}, "Retry-After: 1\r\n")

    assert right(ask(start(bad(once))), "甲")
    assert times[1] - times[0] >= 1.0


def test_a_client_that_goes_away_takes_its_call_with_it(bad: Any, start: Start) -> None:
    hung_up: list[bool] = []

    def wait(asked: Asked) -> None:
        hung_up.append(asked.gone(10))

    upstream = bad(wait)
    url = start(upstream)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/embeddings", json={"model": "fake", "input": "甲"}, timeout=0.5)
    until(lambda: hung_up)
    assert hung_up == [True]
    assert 'status="499"' in httpx.get(f"{url}/metrics").text


def test_each_model_is_asked_of_the_upstream_that_has_it(bad: Any, start: Start) -> None:
    first = bad(models=http(200, {"data": [{"id": "a"}]}))
    second = bad(models=http(200, {"data": [{"id": "b"}]}))
    url = start(first, second, models=())
    for i in range(4):
        assert right(ask(url, f"a{i}", model="a"), f"a{i}")
        assert right(ask(url, f"b{i}", model="b"), f"b{i}")
    assert {p.body["model"] for p in first.posts} == {"a"}
    assert {p.body["model"] for p in second.posts} == {"b"}


def test_a_model_that_comes_back_under_another_name_is_found(bad: Any, start: Start) -> None:
    def only(name: str) -> Callable[[Asked], bytes]:
        return lambda asked: good(asked.body) if asked.body["model"] == name else http(404, {"message": "unknown"})

    upstream = bad(only(NAME))
    url = start(upstream)
    assert right(ask(url), "甲")
    upstream.habit, upstream.models = only("/m/Fake-Embedding"), http(200, {"data": [{"id": "/m/Fake-Embedding"}]})
    assert ask(url, "乙").status_code == 502
    assert right(ask(url, "乙"), "乙")


def test_another_model_under_the_same_name_does_not_mix_with_kept_vectors(bad: Any, start: Start) -> None:
    upstream = bad()
    url = start(upstream, models=())
    assert right(ask(url, "甲", model=NAME), "甲")
    upstream.habit = lambda asked: rows_of(asked, lambda d: [r | {"embedding": r["embedding"][:16]} for r in d])
    answer = ask(url, ["甲", "乙"], model=NAME)
    assert answer.status_code == 200, answer.text
    assert {len(d["embedding"]) for d in answer.json()["data"]} == {16}


def test_upstreams_that_differ_in_size_are_said_to_differ(bad: Any, start: Start) -> None:
    small = bad(lambda asked: rows_of(asked, lambda d: [r | {"embedding": r["embedding"][:16]} for r in d]))
    url = start(bad(), small, models=(), batch=1)
    answer = ask(url, [f"t{i}" for i in range(8)], model=NAME)
    assert answer.status_code == 502
    assert "[16, 32] dimensions" in answer.text


def test_the_key_goes_up_and_never_comes_back(bad: Any, start: Start) -> None:
    def echo(asked: Asked) -> bytes:
        return http(401, {"error": {"message": f"wrong: {asked.headers['authorization']}"}})

    upstream = bad(echo)
    answer = ask(start(upstream, key="sk-upstream-0123456789\n"))
    assert upstream.posts[0].headers["authorization"] == "Bearer sk-upstream-0123456789"
    assert answer.status_code == 502
    assert "sk-upstream" not in answer.text
    assert "wrong: Bearer ***" in answer.text


def test_the_clients_key_stays_here(bad: Any, start: Start) -> None:
    upstream = bad()
    body = {"model": "fake", "input": "甲", "user": "somebody"}
    answer = httpx.post(f"{start(upstream)}/v1/embeddings", json=body, headers={"Authorization": "Bearer client-key"})
    assert answer.status_code == 200
    assert all("authorization" not in a.headers for a in upstream.asked)
    assert "user" not in upstream.posts[0].body


@pytest.mark.parametrize("key", ["sk-\x00secret", "sk-秘密", "two words"])
def test_a_key_that_no_header_holds_is_refused_unseen(key: str) -> None:
    with pytest.raises(UsageError, match="the API key holds") as refused:
        Upstream.read("http://h", key)
    assert key not in str(refused.value)


def test_two_thousand_texts_are_split_and_come_back_in_order(bad: Any, start: Start) -> None:
    one, other = bad(), bad()
    texts = [f"text {i}" for i in range(2048)]
    assert right(ask(start(one, other), texts), *texts)
    sizes = [len(p.body["input"]) for p in one.posts + other.posts]
    assert (sum(sizes), max(sizes), len(sizes)) == (2048, 32, 64)
    assert one.posts
    assert other.posts


def test_the_text_that_an_upstream_refuses_is_named_by_its_place(bad: Any, start: Start) -> None:
    def refuse(asked: Asked) -> bytes:
        too_long = any("long" in t for t in asked.body["input"])
        return http(413, {"error": "too many tokens", "error_type": "Validation"}) if too_long else good(asked.body)

    texts = [f"t{i}" for i in range(70)] + ["long"]
    answer = ask(start(bad(refuse)), ["t3", *texts])
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "input 71: the upstream refuses this: too many tokens"


@pytest.mark.parametrize(
    ("models", "status"), [(http(503, {}), 503), (http(401, {}), 503), (None, 503), (http(404, {}), 200)]
)
def test_ready_means_that_a_request_would_be_taken(bad: Any, start: Start, models: bytes | None, status: int) -> None:
    assert httpx.get(f"{start(bad(models=models))}/ready").status_code == status


def test_a_host_that_does_not_exist_and_one_without_tls(bad: Any, start: Start) -> None:
    whole = bad()
    for broken in ("http://no-such-host.invalid", whole.url.replace("http:", "https:")):
        assert right(ask(start(broken, whole)), "甲")
        answer = ask(start(broken), "甲")
        assert answer.status_code == 502
        assert "ConnectError" in answer.text


def rerank(url: str, documents: list[str]) -> httpx.Response:
    return httpx.post(f"{url}/v1/rerank", json={"query": "q", "documents": documents}, timeout=20)


def scored(documents: list[str]) -> list[dict[str, Any]]:
    return [{"index": i, "relevance_score": len(d) / 10} for i, d in enumerate(documents)]


def test_a_reranker_that_takes_fewer_documents_gets_fewer(bad: Any, start: Start) -> None:
    def few(asked: Asked) -> bytes:
        documents = asked.body["documents"]
        if len(documents) > 5:
            return http(422, {"error": f"batch size {len(documents)} > maximum allowed batch size 5"})
        return http(200, {"results": scored(documents)})

    answer = rerank(start(bad(few), models=(reranker_recipe(),)), ["x" * (i + 1) for i in range(24)])
    assert answer.status_code == 200, answer.text
    assert [r["index"] for r in answer.json()["results"]] == list(range(23, -1, -1))


def test_a_document_that_a_reranker_refuses_is_named_in_its_own_words(bad: Any, start: Start) -> None:
    def refuse(asked: Asked) -> bytes:
        documents = asked.body["documents"]
        if "long" in documents:
            return http(400, {"error": {"message": "the maximum context length is 8", "code": 400}})
        return http(200, {"results": scored(documents)})

    upstream = bad(refuse)
    answer = rerank(start(upstream, models=(reranker_recipe(),)), ["a", "b", "long"])
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "document 2: the upstream refuses this: the maximum context length is 8"
    assert {p.path for p in upstream.posts} == {"/v1/rerank"}
