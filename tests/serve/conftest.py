"""A server on this machine, and media to send to it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.serve.fake_models import Parrot, served
from tutti.serve.lifecycle import Server

EXAMPLES = Path(__file__).parents[2] / "examples/media"


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
def server(parrot: Parrot) -> Iterator[Server]:
    with served(parrot) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as one:
        yield one


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as one:
        yield one


def encoded(name: str) -> str:
    return base64.b64encode((EXAMPLES / name).read_bytes()).decode()


@pytest.fixture(scope="session")
def picture() -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded('picture.png')}"}}


@pytest.fixture(scope="session")
def recording() -> dict[str, object]:
    return {"type": "input_audio", "input_audio": {"data": encoded("recording.ogg"), "format": "wav"}}


@pytest.fixture(scope="session")
def video() -> dict[str, object]:
    return {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{encoded('video.mp4')}"}}
