"""A client that nobody here wrote, bodies that nobody would write, and many at once: the next good one succeeds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

import tutti
from tests.serve.conftest import EXAMPLES
from tests.serve.fake_models import Parrot, served
from tests.serve.load import GOOD, Load, new_picture
from tests.serve.test_gate import asked, chat
from tutti.cli.main import main
from tutti.media import InProcess, Limits
from tutti.serve.admission import ServerLimits
from tutti.serve.app import create_app
from tutti.serve.keys import Keys, digest
from tutti.serve.lifecycle import Server
from tutti.serve.load_generator import Sample, measure_level
from tutti.serve.media_parts import MediaOpener
from tutti.serve.service import Service
from tutti.serve.telemetry import Telemetry


def test_langchain_asks_streams_and_embeds(server: Server, picture: dict[str, object]) -> None:
    model = ChatOpenAI(model="parrot", base_url=f"{server.url}/v1", api_key="none", max_retries=0, temperature=0)  # type: ignore[arg-type]
    question: Any = [("system", "Be brief."), ("human", [{"type": "text", "text": "look here"}, picture])]
    answer = model.invoke(question)
    assert answer.content == "look here [image]"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 3
    assert "".join(str(chunk.content) for chunk in model.stream(question)) == "look here [image]"
    vectors = OpenAIEmbeddings(
        model="parrot",
        base_url=f"{server.url}/v1",
        api_key="none",  # type: ignore[arg-type]
        check_embedding_ctx_length=False,
    ).embed_documents(["a", "b"])
    assert [len(vector) for vector in vectors] == [4, 4]


_SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
)
_NAMES = [
    "messages",
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "url",
    "input_audio",
    "data",
    "file",
    "stream",
    "n",
]
_NAMES += ["input", "prompt", "tools", "tool_calls", "source", "call_id", "output", "instructions", "system", "format"]
_NAMES += ["stop", "seed", "logprobs", "response_format", "json_schema", "schema", "name", "temperature", "max_tokens"]
_VALUES = ["user", "system", "text", "image_url", "file", "json_schema", "data:;base64,AAAA", "http://a", "/etc/passwd"]
_JSON = st.recursive(
    _SCALARS | st.sampled_from(_VALUES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
_GOOD = {
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}],
        }
    ],
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
    "stop": ["a"],
    "stream": False,
    "n": 1,
}


def _mutated(body: Any, seed: int, value: Any) -> Any:
    """A good body with one of its values put out for another."""
    body = json.loads(json.dumps(body))
    places: list[tuple[Any, Any]] = []
    queue = [body]
    while queue:
        one = queue.pop()
        keys = range(len(one)) if isinstance(one, list) else list(one)
        places += [(one, key) for key in keys]
        queue += [one[key] for key in keys if isinstance(one[key], (list, dict))]
    holder, key = places[seed % len(places)]
    holder[key] = value
    return body


@pytest.fixture(scope="module")
def standing() -> Iterator[Server]:
    with served(Parrot(), opener=MediaOpener(InProcess(Limits()))) as server:
        yield server


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(
    data=st.data(),
    kind=st.sampled_from(["json", "mutation", "bytes"]),
    path=st.sampled_from(
        ["chat/completions", "embeddings", "messages", "messages/count_tokens", "responses", "completions"]
    ),
)
def test_no_body_is_a_500(standing: Server, data: st.DataObject, kind: str, path: str) -> None:
    if kind == "json":
        body = json.dumps(data.draw(_JSON)).encode(errors="replace")
    elif kind == "mutation":
        body = json.dumps(_mutated(_GOOD, data.draw(st.integers(0, 99)), data.draw(_JSON))).encode(errors="replace")
    else:
        body = data.draw(st.binary(max_size=60))
    status, _, content = asked(standing, "POST", f"/v1/{path}", body)
    assert status < 500, (body, content)
    if status != 200:
        assert json.loads(content)["error"]["message"]
    assert asked(standing, "POST", "/v1/chat/completions", chat("fine"))[0] == 200


if sys.platform == "linux":  # there is no libFuzzer for Python elsewhere

    def fuzzed(folder: Path, planted: str, *options: str) -> tuple[int, str]:
        """The exit code of `tests.serve.fuzz`, and what it told."""
        code = f"import sys; from tests.serve import fuzz; {planted}; fuzz.main()"
        # Through a shell: a process begins with its parent's peak of memory, which libFuzzer would take for its own.
        words = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code]
        words += [f"-artifact_prefix={folder}/", "-seed=1", *options]
        done = subprocess.run(words, cwd=EXAMPLES.parents[1], capture_output=True, text=True, errors="replace")
        return done.returncode, done.stderr + done.stdout

    def test_every_route_with_a_body_is_fuzzed() -> None:
        words = [
            sys.executable,
            "-c",
            "from tests.serve import fuzz; print(*[path.decode() for path, _ in fuzz.ROUTES])",
        ]
        done = subprocess.run(words, cwd=EXAMPLES.parents[1], capture_output=True, text=True, check=True)
        app = create_app(Service(Parrot(), "parrot", ServerLimits(), MediaOpener(InProcess(Limits()))), Keys({}))
        posted = {path for path, methods in app.openapi()["paths"].items() if "post" in methods}
        assert {*done.stdout.split()} == posted

    def test_no_body_that_coverage_leads_to_is_a_500(tmp_path: Path) -> None:
        status, told = fuzzed(tmp_path, "pass", "-runs=250")
        assert status == 0, told[-4000:]
        assert "Done 250 runs" in told
        assert "NEW" in told.partition("INITED")[2], "it was led on by what is new"

    def test_a_bug_that_is_planted_is_found(tmp_path: Path) -> None:
        status, told = fuzzed(tmp_path, "fuzz.Parrot.embed = lambda *_: 1 / 0", "-runs=250")
        assert status != 0
        assert "internal_error" in told
        assert [file.name[:6] for file in tmp_path.iterdir()] == ["crash-"]

    @pytest.mark.slow
    def test_no_body_is_a_500_in_three_minutes(tmp_path: Path) -> None:
        status, told = fuzzed(tmp_path, "pass", "-max_total_time=180")
        assert status == 0, told[-4000:]
        print(re.findall(".*DONE.*", told))


@pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_the_openapi_document_is_kept_to(examples: int) -> None:
    """schemathesis makes requests of the whole document, good and bad, and holds the answers to it."""
    service = Service(Parrot(), "parrot", ServerLimits(), MediaOpener(InProcess(Limits())))
    app = create_app(service, Keys({}))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    tried: Counter[int] = Counter()
    walked = set()

    for result in schema.get_all_operations():
        operation = result.ok()
        walked.add((operation.method, operation.path))

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        def one(case: Any) -> None:
            response = case.call(headers={"host": "localhost"})
            tried[response.status_code] += 1
            assert response.status_code < 500, (case.body, response.text)
            case.validate_response(response, checks=[schemathesis.checks.not_a_server_error])

        one()
    service.close()
    print(len(walked), "operations,", tried.total(), "requests:", dict(tried))
    assert walked == {(method, path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert tried.total() >= examples * len(walked) / 2  # an operation without a body has few different requests
    assert tried[200]
    assert tried[400] + tried[404]


def test_many_at_once_with_disconnects_and_bad_ones() -> None:
    with served(Parrot(seconds_a_word=0.001), limits=ServerLimits(max_running=8, max_waiting=200)) as server:
        load = Load(server.url, EXAMPLES, clients=8)
        load.run(160)
        load.check()
        wait_until_idle(server)
        assert asked(server, "POST", "/v1/chat/completions", chat("fine"))[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("model", ["parrot", "tutti-mini"])
def test_2000_requests_in_all_dialects_from_32_clients_and_none_is_lost(model: str) -> None:
    """The figures are printed (`-s`). The package's own model hears and reads, half an hour of one core."""
    limits = ServerLimits(max_waiting=200)
    provider = Parrot(seconds_a_word=0.001) if model == "parrot" else tutti.load().provider
    with served(provider, limits=limits, opener=MediaOpener(InProcess(Limits()))) as server:
        load = Load(server.url, EXAMPLES, clients=32, patience_s=3600)  # what is slow is not lost
        load.run(2000)
        print(json.dumps(load.report()))
        load.check()
        assert load.outcomes.total() == 2000
        assert {kind for kind, status in load.outcomes if status == 200} == GOOD  # each kind was answered
        wait_until_idle(server)


def wait_until_idle(server: Server) -> None:
    end = time.monotonic() + 60
    while server.service.admission.answers or server.service.admission.bodies:
        assert time.monotonic() < end, "something is still held"
        time.sleep(0.02)


@pytest.mark.parametrize("route", ["chat/completions", "embeddings"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_tenant_can_tell_what_another_sent_without_the_guard_and_not_with_it(route: str, apart: bool) -> None:
    """Told by what is computed, which time follows: of pictures that are new, that the same tenant sent before, and
    that another one sent before. `benchmarks/cache_timing.py` asks the clock itself."""
    model = tutti.load()
    keys = {name: f"tutti-{name * 40}" for name in "ab"}

    def computed(server: Server, key: str, number: int) -> tuple[int, bool]:
        """How often a trunk ran, and whether something was found."""
        content = [new_picture(number), {"type": "text", "text": "What is it?"}]
        body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
        if route == "chat/completions":
            body["max_tokens"] = 1
        headers = {"authorization": f"Bearer {keys[key]}"}
        before = model.provider.stats()["embedding_cache_misses_total"]  # type: ignore[union-attr]
        status, _, told = asked(server, "POST", f"/v1/{route}", json.dumps(body).encode(), headers)
        assert status == 200
        runs = model.provider.stats()["embedding_cache_misses_total"] - before  # type: ignore[union-attr]
        return int(runs), json.loads(told)["usage"]["prompt_tokens_details"]["cached_tokens"] > 0

    tenants = Keys({digest(key): name if apart else "all" for name, key in keys.items()})
    with served(model.provider, keys=tenants) as server:
        unsent = {computed(server, "b", number) for number in range(4)}
        own = {computed(server, "b", number) for number in range(4)}
        assert {computed(server, "a", number) for number in range(4, 8)} == unsent == {(1, False)}
        others = {computed(server, "b", number) for number in range(4, 8)}
    assert own == {(0, True)}
    assert others == (unsent if apart else own)


def test_spans_tell_of_media_by_digest_and_of_nothing_said(picture: dict[str, object]) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    parrot = Parrot()
    with served(parrot, telemetry=Telemetry(provider.get_tracer("test"))) as server:
        body = {"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "the secret"}]}]}
        assert asked(server, "POST", "/v1/chat/completions", json.dumps(body).encode())[0] == 200
        parrot.error = ZeroDivisionError("the secret")
        assert asked(server, "POST", "/v1/chat/completions", json.dumps(body).encode())[0] == 500
    good, bad = kept.get_finished_spans()
    assert good.name == "chat parrot"
    assert good.attributes is not None
    assert bad.attributes is not None
    assert good.attributes["gen_ai.usage.output_tokens"] == 3
    assert good.attributes["tutti.media.digests"] == (tutti.Image((EXAMPLES / "picture.png").read_bytes()).digest,)
    assert bad.attributes["error.type"] == "ZeroDivisionError"
    assert "secret" not in good.to_json() + bad.to_json()


def test_bench_measures_a_server_and_a_model(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(EXAMPLES / "picture.png")
    words = ["bench", picture, "--requests", "6", "--concurrency", "1,3", "--question", "one two three"]
    assert main([*words, "--url", f"{server.url}/v1", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["concurrency"] for line in lines] == [1, 3]
    assert all(line["requests"] == 6 and line["failed"] == 0 for line in lines)
    assert all({*line[name]} == {"p50", "p95", "p99"} for line in lines for name in ("first_token_ms", "per_token_ms"))
    assert main([*words, "--max-tokens", "3"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    assert main(["bench", "--url", "nowhere"]) == 2
    assert main(["bench", "--url", "http://127.0.0.1:9/v1"]) == 4
    assert main(["bench", "--concurrency", "0"]) == 2


def test_a_level_adds_up() -> None:
    clock = threading.Lock()

    def ask() -> Sample:
        with clock:
            time.sleep(0.01)
        return Sample(first_s=0.1, total_s=0.4, tokens=4, prompt_tokens=10, cached_tokens=5)

    level = measure_level(ask, 4, 8, images=1)
    assert level.seconds >= 0.08
    assert level.images_per_s == level.requests_per_s == 8 / level.seconds
    assert level.cache_hit_ratio == 0.5
    assert level.first_token_ms["p50"] == pytest.approx(100)
    assert level.per_token_ms["p99"] == pytest.approx(100)
