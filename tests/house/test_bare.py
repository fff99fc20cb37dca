"""A bare install, `pip install tutti` without extras: what needs one says which, and all else runs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from tests.house.test_start import ENVIRONMENT
from tests.media.dicom_files import make_dicom
from tests.search.synthetic_media import film, picture, recording, tone

RUN = """
import contextlib, importlib, io, json, pkgutil, sys
from importlib.machinery import PathFinder

ABSENT = set()

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in ABSENT else super().find_spec(name, path, target)

sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
import tutti
from tutti.cli.main import main

for line in sys.stdin:
    absent, commands = json.loads(line)
    ABSENT.clear()
    ABSENT.update(absent)
    assert not ABSENT & set(sys.modules), (sorted(ABSENT & set(sys.modules)), commands)
    for words in commands:
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = main(words)
        print(json.dumps([code, said.getvalue()]), flush=True)
    if not commands:
        for module in pkgutil.walk_packages(tutti.__path__, "tutti."):
            if module.name != "tutti.__main__":
                importlib.import_module(module.name)
"""
NEEDING = {
    "hosted": [
        ["ask", "What is this?", "--model", name]
        for name in ("openai:gpt-4o", "anthropic:claude", "gemini:gemini-pro", "http://localhost:9/v1#m")
    ],
    "track": [["evaluate", "suite.jsonl", "--track", to] for to in ("wandb", "mlflow", "langsmith")],
    "search": [
        ["index", "media", "--into", "db"],
        ["index", "feed.parquet", "--into", "db"],
        ["index", "media", "--into", "db", "--on", "ray"],
        ["index", "--into", "there", "--forget", "anna"],
        ["search", "a dog", "--in", "there"],
        ["search", "a dog", "--in", "film.mp4"],
        ["ask", "What is seen?", "--in", "there"],
        ["ask", "When is red seen?", "film.mp4"],
        ["shop", "update", "feed.jsonl", "--in", "db"],
        ["shop", "ask", "red bags", "--in", "there"],
    ],
    "ocr": [
        ["index", "media", "--into", "db", "--read-text"],
        ["evaluate", "suite.jsonl", "--ocr"],
        ["verify", "It says 'a'.", "media/red.png"],
        ["ask", "What is this?", "media/red.png", "--guard"],
    ],
    "ui": [["demo"]],
    "shop": [["shop", "update", "feed.xml", "--in", "db"]],
    "live": [["live"]],
    "evaluate": [
        ["evaluate", "suite.jsonl", "--out", "report"],
        ["evaluate", "spoken.jsonl", "--out", "report"],
        [*"cost --model openai:gpt-4o --per-month 1000 --like suite.jsonl --queries-per-s 1 --plot cost.svg".split()],
    ],
    "documents": [["ask", "What is this?", "lease.pdf"]],
    "privacy": [
        ["ask", "What is this?", "scan.dcm"],
        ["redact", "media", "--out", "safe"],
        ["redact", "scan.dcm", "--out", "safe", "--no-words", "--no-faces"],
    ],
    "otel": [["evaluate", "suite.jsonl", "--spans", "spans.jsonl"], ["serve", "--otel", "--port", "0"]],
    "gguf": [["convert", "model.gguf", "--into", "made"]],
    "provenance": [["provenance", "media/red.png"]],
    "vault": [["vault", "init", "keys.vault"]],
    "radiology": [["radiology", "draft", "media/red.png", "--case", "a", "--out", "report"]],
}
"""The ways into each extra; that into `ray` comes after that into `search` (tests/search/test_ray_cluster.py)."""
BARE = [
    ["ask", "What is this?", "media/red.png"],
    ["classify", "media/red.png", "--labels", "a dog,a car"],
    ["embed", "a dog", "media/low.wav"],
    ["models"],
    ["cost", "--models"],
    ["choose", "--needs", "image"],
    ["evaluate", "--init", "media"],
]


def brought(extras: tuple[str, ...]) -> set[str]:
    """The modules that an install with some extras brings, those inside of packages as well."""
    seen: set[str] = set()
    modules: set[str] = set()
    waiting = [("tutti", extra) for extra in extras]
    while waiting:
        name, extra = waiting.pop()
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system
            continue
        modules |= names(package)
        for line in package.requires or ():
            wanted = Requirement(line)
            if line not in seen and (wanted.marker is None or wanted.marker.evaluate({"extra": extra})):
                seen.add(line)
                waiting += [(wanted.name, more) for more in ("", *wanted.extras)]
    return modules


def names(package: metadata.Distribution) -> set[str]:
    """Its modules, down to the second level: `opentelemetry` alone is of several packages."""
    files = [Path(file) for file in package.files or () if Path(file).suffix in (".py", ".so")]
    parts = [(*file.parts[:-1], file.name.partition(".")[0]) for file in files]
    return {".".join(part[:depth]) for part in parts for depth in (1, 2) if "-" not in part[0]}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Exit code and stderr of each command, in a Python that finds no module of its extra.

    It imports every module of ours before, and then runs those of `BARE`, with no extra at all.
    """
    place = tmp_path_factory.mktemp("bare")
    for folder in ("media", "there/default/items.lance"):
        (place / folder).mkdir(parents=True)
    picture(place / "media" / "red.png", "red")
    recording(place / "media" / "low.wav", "low")
    film(place / "film.mp4", [("red", 65.0)], tone("low", 1.0), rate=1)
    (place / "feed.parquet").write_bytes(b"PAR1")
    (place / "feed.jsonl").write_text(json.dumps({"id": "a", "title": "A bag", "price": "3 EUR"}))
    (place / "feed.xml").write_text("<rss/>")
    (place / "model.gguf").write_bytes(b"GGUF")
    (place / "lease.pdf").write_bytes(b"%PDF-1.4")
    (place / "scan.dcm").write_bytes(make_dicom(np.zeros((8, 8), np.uint8)))
    case = {"id": "a", "question": "What is said?", "expected": ["a"]}
    (place / "suite.jsonl").write_text(json.dumps({**case, "metric": "contains"}))
    (place / "spoken.jsonl").write_text(json.dumps({**case, "metric": "wer"}))
    bare = brought(("",))
    every = brought((*NEEDING, "ray", "train", "dev")) - bare
    assert {"pyarrow", "matplotlib", "opentelemetry.sdk", "google.genai"} <= every
    assert not {"torch", "numpy", "fastapi"} & every
    groups: list[tuple[set[str], list[list[str]]]] = [(every, []), (every, BARE)]
    groups += [(brought((extra,)) - bare, ways) for extra, ways in NEEDING.items()]
    given = "".join(json.dumps([sorted(absent), commands]) + "\n" for absent, commands in groups)
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "k")
    environment = {**ENVIRONMENT, **keys, "TUTTI_CACHE_FOLDER": str(place / "cache")}
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=place, env=environment)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_what_needs_no_extra_runs(said: list[tuple[int, str]]) -> None:
    for words, (code, sentence) in zip(BARE, said, strict=False):
        assert code == 0, (words, sentence)


def test_what_needs_an_extra_names_it(said: list[tuple[int, str]]) -> None:
    wanted = [(extra, words) for extra, ways in NEEDING.items() for words in ways]
    wrong = []
    for (extra, words), (code, sentence) in zip(wanted, said[len(BARE) :], strict=True):
        asked = f"needs an optional part; install it with: pip install 'tutti[{extra}]'"
        last = sentence.splitlines()[-1]  # notes on old prices may come before
        if code != 2 or not last.startswith("tutti: ") or not last.endswith(asked):
            wrong.append((words, code, sentence))
    assert not wrong
