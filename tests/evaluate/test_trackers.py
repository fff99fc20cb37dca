"""Trackers without a network: W&B offline, MLflow in sqlite, LangSmith against a server on this machine; spans."""

from __future__ import annotations

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.evaluate.scripted_model import Player, write_suite
from tutti.errors import ProviderError, RateLimited
from tutti.evaluate.reply_log import ReplyLog
from tutti.evaluate.report import Report, make_report
from tutti.evaluate.running import Candidate, EvaluationPlan, run
from tutti.evaluate.suite import read_suite
from tutti.evaluate.tracing import Traced, spans_into
from tutti.evaluate.trackers import figures, to_langsmith, to_mlflow, to_wandb

ROWS = [{"id": f"c{i}", "media": [f"{i}.png"], "question": f"Secret {i}?", "expected": "yes"} for i in range(3)]


def made(folder: Path) -> Report:
    suite = read_suite(write_suite(folder, *ROWS))
    plan = EvaluationPlan(
        suite=suite, candidates=[Candidate(name="a:b", model=Player(lambda question: "yes"), hosted=True)]
    )
    return make_report(suite, run(plan, log=ReplyLog(folder / "answers.jsonl")))


def test_figures_leave_out_what_is_not_known(tmp_path: Path) -> None:
    found = figures(made(tmp_path))
    assert found["a_b/score"] == 1
    assert "a_b/cost_usd" not in found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")
def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path), "CONSOLE": "off"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    to_wandb(made(tmp_path), tmp_path)
    runs = list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(runs) == 1
    assert b"a_b/score" in runs[0].read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")
def test_mlflow_in_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "report.md").write_text("# words")
    try:
        to_mlflow(made(tmp_path), tmp_path)
    finally:
        mlflow.set_tracking_uri(None)
    with sqlite3.connect(tmp_path / "mlflow.db") as base:
        rows = dict(base.execute("select key, value from metrics").fetchall())
    assert rows["a_b/score"] == 1
    assert len(list((tmp_path / "mlflow-files").rglob("report.md"))) == 1


class _Sink(BaseHTTPRequestHandler):
    received: list[tuple[str, dict[str, object]]]
    code = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.received.append((self.path, json.loads(body)))
        self.send_response(self.code)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *words: object) -> None:
        pass


def test_langsmith_against_a_server_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = type("Handler", (_Sink,), {"received": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("LANGSMITH_API_KEY", "none")
        to_langsmith(made(tmp_path), tmp_path)
        runs = [body for path, body in handler.received if path.endswith("/runs")]
        assert len(runs) == 3
        assert {run["outputs"]["answer"] for run in runs} == {"yes"}  # type: ignore[index]
        assert str(tmp_path) not in json.dumps(runs)
        scores = [run["extra"]["metadata"]["score"] for run in runs]  # type: ignore[index]
        assert scores == [1, 1, 1]
        server.shutdown()


def test_a_tracker_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = type("Handler", (_Sink,), {"received": [], "code": 401})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("LANGSMITH_API_KEY", "none")
        with pytest.raises(ProviderError, match="LangSmith did not take the report"):
            to_langsmith(made(tmp_path), tmp_path)
        server.shutdown()


def test_spans_name_the_model_and_the_tokens_and_no_content(tmp_path: Path) -> None:
    suite = read_suite(write_suite(tmp_path, *ROWS))

    def answer(question: str) -> str:
        if question == "Secret 1?":
            raise RateLimited("Slow down; you asked Secret 1?")
        return "yes"

    with spans_into(tmp_path / "spans.jsonl") as tracer:
        traced = Traced(Player(answer, "openai:gpt-4o"), tracer)
        run(
            EvaluationPlan(suite=suite, candidates=[Candidate(name="openai:gpt-4o", model=traced)]),
            log=ReplyLog(tmp_path / "answers.jsonl"),
        )
    text = (tmp_path / "spans.jsonl").read_text()
    spans = [json.loads(line) for line in text.splitlines()]
    assert [span["name"] for span in spans] == ["chat openai:gpt-4o"] * 3
    first, failed, _ = (span["attributes"] for span in spans)
    assert first["gen_ai.operation.name"] == "chat"
    assert first["gen_ai.provider.name"] == "openai"
    assert first["gen_ai.request.max_tokens"] == 64
    assert first["gen_ai.usage.input_tokens"] == 12
    assert first["gen_ai.usage.output_tokens"] == 1
    assert first["gen_ai.response.finish_reasons"] == ["stop"]
    assert [len(digest) for digest in first["tutti.media.digests"]] == [64]
    assert failed["error.type"] == "RateLimited"
    assert spans[1]["status"] == {"status_code": "ERROR"}
    assert "Secret" not in text
    assert ".png" not in text
