"""Each command once, run as from the shell with its standard streams as a condition says. Run as a script:

python -m tests.cli.every_command FOLDER CONDITION

What costs seconds is replaced; what is printed, and how, is the commands' own. Prints, as JSON, name → exit code,
standard output and standard error.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tutti
from tests.cli.fake_model import FakeModel
from tutti import checkpoints
from tutti.cli import bench, index, main, search, shop
from tutti.content import Segment, Transcript
from tutti.search import Hit
from tutti.search.ingest.run import IndexReport
from tutti.search.query.reasons import Matched, SharesWords
from tutti.serve import lifecycle, logs
from tutti.serve.load_generator import Sample
from tutti.training import loop

WORDS = "Größe – 5 × 4 “ok” 犬 \U0001f415 \udcff"
"""Letters, a dash and signs that encodings lack, a character beyond 16 bits, and half of a surrogate pair."""

RECIPE = """
from types import SimpleNamespace

PHASES = ("one",)


def prepare(name, **_):
    return SimpleNamespace(model=None, phase=None)
"""


REFUSED: dict[str, Callable[[str], list[str]]] = {
    "audit": lambda none: ["audit", "x", "--data", none, "--by", "group"],
    "demo": lambda none: ["demo", "--index", none],
    "evaluate": lambda none: ["evaluate", f"{none}.jsonl"],
    "feedback": lambda none: ["feedback", "export", "--in", none, "--out", none],
    "live": lambda none: ["live", "--from", none],
    "moderate": lambda none: ["moderate", none, "--policy", f"{none}.toml"],
    "provenance": lambda none: ["provenance", none],
    "redact": lambda none: ["redact", none, "--out", f"{none}-out"],
    "sign": lambda none: ["sign", none, "--cert", none, "--key", none, "--out", f"{none}.png"],
    "specialise": lambda none: ["specialise", f"{none}.jsonl"],
    "tune": lambda none: ["tune", "tutti-mini", "--data", f"{none}.jsonl", "--out", none],
    "vault": lambda none: ["vault", "status", none],
    "verify": lambda none: ["verify", "It says hello.", none],
}
"""Commands that are given what is not there, since their work costs seconds: an error on stderr, and nothing else."""


class Wordy(FakeModel):
    """Says what no narrow encoding holds."""

    def __init__(self) -> None:
        super().__init__(name=WORDS)

    def ask(self, question: Any, *media: Any, **options: Any) -> Any:
        return replace(super().ask(question, *media, **options), text=WORDS)

    def classify(self, medium: Any, labels: Any) -> dict[str, float]:
        return super().classify(medium, [*labels, WORDS])

    def transcribe(self, medium: Any, *, progress: Any = None, **options: Any) -> Transcript:
        segments = (Segment(start_s=0.0, end_s=1.0, text=WORDS),)
        return Transcript(text=WORDS, segments=segments, model="fake", language="de", task="transcribe",
                          duration_s=1.0, seconds=0.1)  # fmt: skip


def commands(folder: Path) -> dict[str, list[str]]:
    """Words of each command."""
    picture, name = str(folder / "picture.png"), str(folder / "Größe – 犬")
    return {
        "ask": ["ask", "What?", picture],
        "ask --json": ["ask", "What?", picture, "--json"],
        "ask --stream": ["ask", "What?", picture, "--stream"],
        "classify": ["classify", picture, "--labels", "a,b"],
        "convert": ["convert", "x", "--quantize", "int8", "--into", name],
        "embed": ["embed", "Größe – 犬", picture],
        "serve": ["serve", "--json"],
        "index": ["index", str(folder), "--into", str(folder / "db")],
        "search": ["search", "dog", "--in", str(folder)],
        "search --json": ["search", "dog", "--in", str(folder), "--json"],
        "shop": ["shop", "figures", "--in", str(folder)],
        "radiology": ["radiology", "queue", "--in", str(folder / "cases")],
        "merge": ["merge", "x", "--adapter", "y", "--into", name],
        "bench": ["bench", "--requests", "1", "--concurrency", "1"],
        "models": ["models"],
        "cost": ["cost", "--models"],
        "choose": ["choose", "--needs", "image"],
        "inspect": ["inspect", "tutti-mini"],
        "transcribe": ["transcribe", picture],
        "transcribe --srt": ["transcribe", picture, "--srt"],
        **{name: words(str(folder / "none")) for name, words in REFUSED.items()},
        "train": ["train", "all", "--recipe", str(folder / "recipe.py"), "--data", str(folder), "--out", name],
    }


def replace_what_is_slow() -> None:
    """Models, servers and training are not what is tried here."""
    tutti.load = tutti.open_provider = lambda *_, **__: Wordy()  # type: ignore[attr-defined]
    info = SimpleNamespace(bytes=1_000_000, quantized={"text": "int8"})
    checkpoints.shrink = lambda *_, **__: info  # type: ignore[attr-defined]
    checkpoints.merge = lambda *_, **__: 3  # type: ignore[attr-defined]
    inspect = checkpoints.inspect
    checkpoints.inspect = lambda name: info if "犬" in str(name) else inspect(name)  # type: ignore[attr-defined]
    index._with_tools = lambda _: SimpleNamespace(add=lambda *_, **__: IndexReport(added=1))  # type: ignore[assignment]
    hit = Hit(
        id="1",
        item=WORDS,
        path=WORDS,
        modality="image",
        kind="picture",
        score=1.0,
        why=(SharesWords(Matched("words", WORDS)),),
        words=WORDS,
    )
    found = SimpleNamespace(search=lambda *_, **__: [hit])
    search.open_within = lambda _: (found, False)  # type: ignore[assignment]
    nothing = SimpleNamespace(events=SimpleNamespace(read=lambda: iter(())))
    shop._open = lambda *_: nothing  # type: ignore[assignment]
    bench._ask_local = lambda *_: (_one_answer, WORDS)  # type: ignore[assignment]
    lifecycle.make_server = lambda *_, **__: None  # type: ignore[assignment]
    lifecycle.run_announced = lambda _, ready: ready("http://127.0.0.1:1") or True  # type: ignore[assignment]
    logs.configure = lambda: None
    ended = SimpleNamespace(notes=(WORDS,), finished=True, step=1, seconds=1.0, metrics={WORDS: 1.0})
    loop.train = lambda *_, **__: ended  # type: ignore[assignment]


def _one_answer() -> Sample:
    return Sample(first_s=0.5, total_s=1.0, tokens=3, prompt_tokens=10, cached_tokens=5)


def _closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def _on(number: int, opened: Callable[[], int]) -> Callable[[], None]:
    def change() -> None:
        os.dup2(opened(), number)

    return change


def _close(number: int) -> Callable[[], None]:
    def change() -> None:
        os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)  # as Python does at its start

    return change


def _encoded(encoding: str) -> Callable[[], None]:
    def change() -> None:
        for name, number in (("stdout", 1), ("stderr", 2)):
            stream = io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding)
            setattr(sys, name, stream)

    return change


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


CONDITIONS: dict[str, Callable[[], None]] = {
    "plain": lambda: None,
    "ascii": _encoded("ascii"),
    "latin-1": _encoded("latin-1"),
    "stdout closed": _close(1),
    "stderr closed": _close(2),
    "stdin closed": _close(0),
    "stdout full": _on(1, _full),
    "stderr full": _on(2, _full),
    "stdout gone": _on(1, _closed_pipe),
    "stderr gone": _on(2, _closed_pipe),
}


def outcome(words: list[str], condition: Callable[[], None], folder: Path) -> dict[str, Any]:
    """How one command ends in a process of its own."""
    out, err = folder / "out", folder / "err"
    child = os.fork()
    if child == 0:
        for number, file in ((1, out), (2, err)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = ["tutti", *words]
        code = 99
        try:
            condition()
            main.run()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    kept = {name: file.read_bytes().decode("latin-1") for name, file in (("out", out), ("err", err))}
    return {"code": os.waitstatus_to_exitcode(status), **kept}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("conditions", nargs="+")
    given = parser.parse_args()
    (given.folder / "recipe.py").write_text(RECIPE)
    replace_what_is_slow()
    print(
        json.dumps(
            {
                condition: {
                    name: outcome(words, CONDITIONS[condition], given.folder)
                    for name, words in commands(given.folder).items()
                }
                for condition in given.conditions
            }
        )
    )
