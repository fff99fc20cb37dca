"""The command itself, as a process: it says when it is ready, and a signal ends it when it is through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import openai
import pytest

from tests.serve.conftest import EXAMPLES, encoded
from tests.serve.load import Load


def children(pid: int) -> list[int]:
    return [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_answer_and_leaves_nothing(number: signal.Signals) -> None:
    words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", "--decode-workers", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["pid"] == process.pid
        with openai.OpenAI(base_url=told["url"], api_key="none", max_retries=0) as client:
            sound = {"type": "input_audio", "input_audio": {"data": encoded("recording.ogg"), "format": "wav"}}
            answer = client.chat.completions.create(
                model="tutti-mini",
                messages=[{"role": "user", "content": [{"type": "text", "text": "What do you hear?"}, sound]}],  # type: ignore[list-item]
                stream=True,
            )
            first = next(iter(answer))
            workers = children(process.pid)
            threading.Timer(0.0, os.kill, (process.pid, number)).start()
            rest = list(answer)
        assert first.choices[0].delta.role == "assistant"
        assert rest[-1].choices[0].finish_reason in ("stop", "length")
        out, log = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "")
    assert all(json.loads(line)["event"] == "request" for line in log.splitlines()), log
    assert len(workers) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


@pytest.mark.slow
def test_two_thousand_from_thirty_two_clients_and_a_clean_stop(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", "--max-waiting", "200"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        load = Load(json.loads(process.stdout.readline())["url"].removesuffix("/v1"), EXAMPLES, 32, process.pid)
        load.warm()
        load.run(2000)
        process.terminate()
        assert process.wait(60) == 0
    print(load.report())
    load.check()
    grown = load.memories[-1].resident - load.memories[0].resident
    assert grown < 80 * 2**20, f"{grown / 2**20:.0f} MB"
