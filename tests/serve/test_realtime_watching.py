"""`/v1/realtime` beside the words: pictures that are shown, alerts, and a server that is late."""

from __future__ import annotations

import base64
import gc
import io
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image as pillow
from websockets.exceptions import InvalidStatus

from tests.search.synthetic_media import COLOURS, Space, tone
from tests.serve.fake_models import served
from tests.serve.test_realtime import Listening, Typist, message, raw, say, sound, told, until
from tutti.content import Embeddings, Image, Part, Text
from tutti.serve.admission import ServerLimits
from tutti.serve.keys import Keys
from tutti.serve.lifecycle import ListenOptions, Server
from tutti.serve.realtime import connection, watching
from tutti.serve.replicas.door import make_door


@dataclass
class Seeing(Listening):
    """A parrot that hears, and places pictures by colours and sounds by tones."""

    space: Space = field(default_factory=Space)

    def embed(self, parts: list[Part], tenant: str = "") -> Embeddings:
        return self.space.embed(parts)

    def sharpness(self, modality: str) -> float:
        return self.space.sharpness(modality)


@pytest.fixture
def model() -> Seeing:
    return Seeing()


@pytest.fixture
def seeing(model: Seeing) -> Iterator[Server]:
    with served(model) as running:
        yield running


def shown(colour: str, size: int = 64) -> str:
    out = io.BytesIO()
    pillow.new("RGB", (size, size), COLOURS[colour]).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def sounding(word: str, seconds: float) -> str:
    samples = (32_767 * tone(word, seconds)).astype("<i2")
    return base64.b64encode(samples.tobytes()).decode()


AT_16_KHZ = {"input": {"format": {"type": "audio/pcm", "rate": 16_000}, "turn_detection": None}}


def test_openais_client_is_told_what_is_seen_heard_and_said(seeing: Server) -> None:
    client = openai.OpenAI(base_url=f"{seeing.url}/v1", api_key="none", max_retries=0)
    alerts: dict[str, Any] = {}
    with client, client.realtime.connect(model="parrot") as connected:
        watched = {"alerts": ["red", "high", 'somebody says "word1"']}
        connected.send({"type": "session.update", "session": {"audio": AT_16_KHZ, "tutti": watched}})  # type: ignore[arg-type, misc]
        connected.send({"type": "tutti.image.append", "image_url": shown("red")})  # type: ignore[arg-type, misc]
        for _ in range(3):
            connected.input_audio_buffer.append(audio=sounding("high", 1.5))
        for event in connected:
            assert event.type != "error", event
            if event.type == "tutti.alert":
                alerts[event.sense] = event
            if len(alerts) == 3:
                break
    assert {sense: one.thing for sense, one in alerts.items()} == {
        "seen": "red", "heard": "high", "said": 'somebody says "word1"',
    }  # fmt: skip
    assert (alerts["heard"].start_ms, alerts["heard"].end_ms) == (0, 2500)
    assert (alerts["said"].start_ms, alerts["said"].end_ms) == (1000, 2000)
    assert alerts["seen"].fit >= 0.5


def test_what_is_said_is_about_the_picture_that_is_shown(model: Seeing, seeing: Server) -> None:
    with raw(seeing) as socket:
        say(socket, "session.update", session={"audio": AT_16_KHZ, "tutti": {"see": True}})
        for colour in ("red", "blue"):
            say(socket, "tutti.image.append", image_url=shown(colour, 600))
            say(socket, "input_audio_buffer.append", audio=sounding("low", 1.0))
            until(lambda: len(model.space.calls) > (1 if colour == "red" else 2))  # noqa: B023
            say(socket, "input_audio_buffer.commit")
            told(socket, "conversation.item.done")
            say(socket, "response.create")
            told(socket, "response.done")
    first, second = (conversation for conversation, _ in model.asked)
    (picture, words) = second[-1].parts
    assert isinstance(picture, Image) and isinstance(words, Text)
    with pillow.open(io.BytesIO(picture.source)) as seen:  # type: ignore[arg-type]
        assert seen.size == (256, 256)
        assert np.abs(np.array(seen.getpixel((9, 9))) - COLOURS["blue"]).max() < 30
    assert [type(part) for part in first[-1].parts] == [Image, Text]
    assert [type(part) for part in second[0].parts] == [Text]  # the picture of an earlier turn is not sent again


def test_pictures_over_the_budget_are_passed_over_and_told_of(model: Seeing, seeing: Server) -> None:
    with raw(seeing) as socket:
        say(socket, "session.update", session={"tutti": {"alerts": ["yellow"]}})
        told(socket, "session.updated")
        before = len(model.space.calls)
        for _ in range(5):
            say(socket, "tutti.image.append", image_url=shown("red"))
        event = told(socket, "tutti.image.dropped")[-1]
        assert 1 <= event["budget"] <= 4 and event["behind"] == 0
        assert until(lambda: len(model.space.calls) == before + 1)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"type": "tutti.image.append", "image_url": "data:image/png;base64,AAAA"}, ""),
        ({"type": "tutti.image.append", "image_url": "/etc/passwd"}, "path"),
        ({"type": "tutti.image.append"}, "image_url"),
        ({"type": "session.update", "session": {"tutti": {"alerts": [""]}}}, "alerts"),
        ({"type": "session.update", "session": {"tutti": {"alerts": ["x"] * 21}}}, "alerts"),
        ({"type": "session.update", "session": {"tutti": {"pictures_a_second": 30}}}, "pictures_a_second"),
    ],
)
def test_what_cannot_be_watched_is_an_error_event(sent: dict[str, Any], words: str, seeing: Server) -> None:
    with raw(seeing) as socket:
        say(socket, "session.update", session={"tutti": {"see": True}})
        told(socket, "session.updated")
        say(socket, sent["type"], **{name: value for name, value in sent.items() if name != "type"})
        assert words in told(socket, "error")[-1]["error"]["message"]
        say(socket, "session.update", session={"tutti": None})
        told(socket, "session.updated")
        say(socket, "tutti.image.append", image_url=shown("red"))
        assert "session.tutti" in told(socket, "error")[-1]["error"]["message"]


def test_a_server_that_is_late_says_so_hurries_and_catches_up(
    model: Seeing, seeing: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[float] = []
    monkeypatch.setattr(connection, "_LATE_S", 0.3)
    monkeypatch.setattr(connection, "_CAUGHT_UP_S", 0.1)
    monkeypatch.setattr(Typist, "catch_up", lambda _, late_s: late.append(late_s), raising=False)
    model.hearing_s = 0.05
    with raw(seeing) as socket:
        told(socket, "session.created")
        for _ in range(20):
            say(socket, "input_audio_buffer.append", audio=sound(0.25))
        assert told(socket, "tutti.behind")[-1]["seconds"] >= 0.3
        assert until(lambda: len(late) == 20)
        say(socket, "session.update", session={})
        told(socket, "tutti.caught_up")
    assert late[0] < 0.1 and max(late) > 0.3


def test_pictures_are_dropped_before_words(model: Seeing, seeing: Server) -> None:
    model.hearing_s = 0.02
    with raw(seeing) as socket:
        say(socket, "session.update", session={"tutti": {"see": True}})
        told(socket, "session.updated")
        for _ in range(40):  # 5 MiB of sound wait, more than half of what may
            say(socket, "input_audio_buffer.append", audio=sound(2.0))
        say(socket, "tutti.image.append", image_url=shown("red"))
        say(socket, "input_audio_buffer.append", audio=sound(2.0))
        say(socket, "conversation.item.create", item=message("behind all of it"))
        events = told(socket, "conversation.item.done", limit=400)
        assert not [event for event in events if event["type"] == "error"]
        assert [event["behind"] for event in events if event["type"] == "tutti.image.dropped"] == [1]


def test_a_client_that_vanishes_takes_its_pictures_and_sounds_along(
    model: Seeing, seeing: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[Any]] = []
    live = model.live

    def remembered(made: Any) -> Any:
        held.append(weakref.ref(made))
        return made

    monkeypatch.setattr(model, "live", lambda options=None: remembered(live(options)))
    watch = watching.LiveWatch
    monkeypatch.setattr(watching, "LiveWatch", lambda *given: remembered(watch(*given)))
    with raw(seeing) as socket:
        say(socket, "session.update", session={"tutti": {"alerts": ["red"], "see": True}})
        say(socket, "tutti.image.append", image_url=shown("red"))
        say(socket, "input_audio_buffer.append", audio=sound(1.0))
        told(socket, "tutti.alert")
        say(socket, "input_audio_buffer.append", audio=sound(60.0))  # and it is gone in the middle of it
        assert len(held) == 2
        socket.socket.close()

    def freed() -> bool:
        gc.collect()
        return all(one() is None for one in held)

    assert until(freed, 1.0)


class NoReplicas:
    """Stands for the processes behind a door."""

    all = ()

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """Nor to end."""

    def ready(self) -> dict[int, Any]:
        return {}

    def stats(self) -> dict[str, float]:
        return {}


def test_behind_replicas_a_websocket_is_refused_with_a_sentence() -> None:
    server = make_door(NoReplicas(), ListenOptions(port=0), Keys({}), ServerLimits())  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run)
    thread.start()
    assert until(lambda: server.started)
    try:
        with pytest.raises(InvalidStatus) as refused, raw(server):
            pass
    finally:
        server.should_exit = True
        thread.join(20)
    assert refused.value.response.status_code == 501
    assert b"start a server without --replicas for /v1/realtime" in (refused.value.response.body or b"")
