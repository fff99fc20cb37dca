"""Bodies that lead where none led before: coverage-guided fuzzing of the server (libFuzzer, through atheris).

Options are libFuzzer's, and then a folder where what was interesting is kept:

    python -m tests.serve.fuzz -max_total_time=3600 CORPUS

The application runs in this process, without a network. Every body must be answered with less than 500, with an error
object unless with 200, and a good request behind it with 200; the body that is not is written to a file `crash-…`.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["tutti.content", "tutti.media", "tutti.serve"], enable_loader_override=False):
    from tests.serve.fake_models import Parrot
    from tutti.media import InProcess, Limits
    from tutti.serve.admission import Cost, ServerLimits
    from tutti.serve.app import create_app
    from tutti.serve.feedback import FeedbackDesk
    from tutti.serve.keys import Keys
    from tutti.serve.media_parts import MediaOpener
    from tutti.serve.schemas.base import RequestBody
    from tutti.serve.schemas.parts import PART_TYPES
    from tutti.serve.service import Service

EXAMPLES = Path(__file__).parents[2] / "examples/media"
_JSON = b"application/json"
ROUTES = (
    (b"/v1/chat/completions", _JSON),
    (b"/v1/embeddings", _JSON),
    (b"/v1/audio/transcriptions", b"multipart/form-data; boundary=x"),
    (b"/v1/messages", _JSON),
    (b"/v1/messages/count_tokens", _JSON),
    (b"/v1/responses", _JSON),
    (b"/v1/completions", _JSON),
    (b"/v1/audio/translations", b"multipart/form-data; boundary=x"),
    (b"/v1/feedback", _JSON),
)
"""The first byte of an input says which; the rest is the body."""
_GOOD = json.dumps({"messages": [{"role": "user", "content": "fine"}]}).encode()


def seeds() -> list[bytes]:
    """One good body of each kind."""
    with_url = [("image_url", "picture.png"), ("audio_url", "recording.ogg"), ("video_url", "video.mp4")]
    coded = {name: base64.b64encode((EXAMPLES / name).read_bytes()).decode() for _, name in with_url}
    parts: list[dict[str, Any]] = [{"type": "text", "text": "a"}]
    parts += [{"type": kind, kind: {"url": f"data:;base64,{coded[name]}"}} for kind, name in with_url]
    parts += [{"type": "input_audio", "input_audio": {"data": coded["recording.ogg"], "format": "wav"}}]
    parts += [{"type": "file", "file": {"file_data": coded["picture.png"]}}]
    options: list[dict[str, Any]] = [
        {"stream": True, "stream_options": {"include_usage": True}, "n": 2, "seed": 1},
        {"temperature": 1, "top_p": 0.5, "max_tokens": 3, "stop": ["a"], "logprobs": True, "top_logprobs": 1},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
    ]
    turns = [[{"role": "user", "content": [part]}] for part in parts]
    bodies = [(0, {"messages": turn}) for turn in turns] + [(0, {"messages": turns[0], **one}) for one in options]
    bodies += [(1, {"messages": turns[1]}), (1, {"input": ["a", "b"], "encoding_format": "base64", "dimensions": 2})]
    image = {"type": "base64", "media_type": "image/png", "data": coded["picture.png"]}
    blocks = [{"type": "image", "source": image}, {"type": "text", "text": "a"}]
    result = {"type": "tool_result", "tool_use_id": "x", "content": "a"}
    said = {"max_tokens": 9, "messages": [{"role": "user", "content": blocks}], "system": "a", "stop_sequences": ["b"]}
    call = {"type": "tool_use", "id": "x", "name": "b", "input": {}}
    called = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    bodies += [
        (3, said),
        (3, {**said, "stream": True}),
        (3, {**said, "messages": [*said["messages"], *called]}),
        (4, said),
    ]
    parts = [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": f"data:;base64,{coded['picture.png']}"},
    ]
    items = [
        {"role": "user", "content": parts},
        {"type": "function_call", "call_id": "x", "name": "b", "arguments": "{}"},
    ]
    items += [{"type": "function_call_output", "call_id": "x", "output": "a"}]
    bodies += [
        (5, {"input": "a", "stream": True}),
        (5, {"input": items, "instructions": "b", "text": {"format": {"type": "text"}}}),
    ]
    bodies += [(6, {"prompt": ["a", "b"], "logprobs": 1, "n": 2}), (6, {"prompt": "a", "stream": True, "echo": True})]
    form = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF\r\n--x--\r\n'
    bodies += [(8, {"answer_id": "x", "verdict": "corrected", "text": "a", "keep_days": 2}), (8, {"verdict": "good"})]
    return [bytes([route]) + json.dumps(body).encode() for route, body in bodies] + [b"\2" + form, b"\7" + form]


def words() -> list[str]:
    """Names and values that the dialects know."""
    models = RequestBody.__subclasses__()
    for model in models:
        models += [one for one in model.__subclasses__() if one not in models]
    names = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return sorted({*names, *PART_TYPES, "user", "system", "json_object", "data:;base64,", "file:/", "http://"})


class Target:
    """The application, asked in this process.

    Args:
        folder: Where it keeps feedback.
    """

    def __init__(self, folder: Path) -> None:
        limits = ServerLimits(
            max_body_bytes=1 << 20, request=Cost(bytes=1 << 20, pixels=10**6, seconds=30, tokens=4000)
        )
        self.parrot = Parrot(limits=Limits(max_pixels=10**6, max_seconds=30, max_bytes=1 << 22))
        service = Service(self.parrot, "parrot", limits, MediaOpener(InProcess(self.parrot.limits)))
        service.feedback = FeedbackDesk(folder)
        self.app, self.loop = create_app(service, Keys({})), asyncio.new_event_loop()

    def __call__(self, data: bytes) -> None:
        """Ask, and ask for something good behind it."""
        path, form = ROUTES[data[0] % len(ROUTES)] if data else ROUTES[0]
        status, content = self.loop.run_until_complete(self.asked(path, form, data[1:]))
        assert status < 500, (status, content)
        if status != 200:
            assert json.loads(content)["error"]["message"], content
        status, content = self.loop.run_until_complete(self.asked(*ROUTES[0], _GOOD))
        assert status == 200, content
        self.parrot.asked.clear()

    async def asked(self, path: bytes, form: bytes, body: bytes) -> tuple[int, bytes]:
        """The status and the content of an answer (ASGI 3)."""
        headers = [(b"host", b"localhost"), (b"content-type", form), (b"content-length", str(len(body)).encode())]
        scope = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": path.decode()}
        scope |= {"raw_path": path, "query_string": b"", "headers": headers, "client": None, "server": None}
        coming = iter([{"type": "http.request", "body": body, "more_body": False}])
        told: list[Any] = []

        async def receive() -> Any:
            for message in coming:
                return message
            return await asyncio.Event().wait()  # the client waits

        async def send(message: Any) -> None:
            told.append(message)

        await self.app(scope, receive, send)  # type: ignore[arg-type]
        return told[0]["status"], b"".join(message.get("body", b"") for message in told[1:])


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """An input changed: its JSON as JSON, a medium in it as bytes, or, now and then, all of it as bytes."""
    chance = random.Random(seed)
    try:
        body = json.loads(data[1:])
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or chance.random() < 0.3:
        return bytes(atheris.Mutate(data, most))
    for _ in range(chance.randint(1, 3)):
        _change(body, chance)
    return (data[:1] + json.dumps(body).encode())[:most]


_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e300, 2**70, "", "\0\ud800", [], {})


def _change(body: Any, chance: random.Random) -> None:
    places: list[tuple[Any, Any]] = []
    queue = [body]
    for one in queue:
        places += [(one, key) for key in (range(len(one)) if isinstance(one, list) else one)]
        queue += [
            value for value in (one if isinstance(one, list) else one.values()) if isinstance(value, (dict, list))
        ]
    if not places:
        body[chance.choice(words())] = []
        return
    holder, key = chance.choice(places)
    value = holder[key]
    match chance.randrange(5):
        case 0 if isinstance(holder, dict):
            holder[chance.choice(words())] = holder.pop(key)
        case 1 if isinstance(holder, dict):
            holder[chance.choice(words())] = chance.choice(places)[1]
        case 2 if isinstance(holder, list):
            holder.append(json.loads(json.dumps(value)))
        case _ if isinstance(value, str) and len(value) > 40:
            holder[key] = _damaged(value, chance)
        case _:
            holder[key] = chance.choice(
                [None, True, -1, 0, 1e300, 2**70, "", "\0\ud800", [], {}, chance.choice(words())]
            )


def _damaged(text: str, chance: random.Random) -> str:
    head, comma, coded = text.rpartition(",")
    try:
        content = bytes(atheris.Mutate(base64.b64decode(coded), 1 << 16))
    except ValueError:
        return text[: chance.randrange(len(text))]
    return head + comma + base64.b64encode(content).decode()


def main() -> None:
    """Fuzz until libFuzzer's options say to stop."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as kept_feedback:
        folder = Path(name)
        for place, seed in enumerate(seeds()):
            (folder / f"{place}").write_bytes(seed)
        known = folder / "words"
        quoted = itertools.chain((f'"{word}"' for word in words()), ('"\\x00"', '"[[["', '"\\"\\""'))
        known.write_text("\n".join(quoted))
        given = [word for word in sys.argv[1:] if word.startswith("-")]
        kept = [word for word in sys.argv[1:] if not word.startswith("-")]
        usual = ["-max_len=131072", "-timeout=600", f"-dict={known}", "-len_control=0"]
        atheris.Setup([sys.argv[0], *usual, *given, *kept, name], Target(Path(kept_feedback)), custom_mutator=mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
