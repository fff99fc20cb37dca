"""Hosted models through the official clients, against servers here that speak each provider's wire format."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
import soundfile

import tutti
from tests.providers.loopback import (
    Loopback,
    Reply,
    anthropic_stream,
    failing,
    gemini_stream,
    loopback,
    openai_stream,
)
from tutti.abilities import one_that_can
from tutti.content import Audio, Finished, Image, Message, SamplingOptions, Text, TextDelta, Usage, Video
from tutti.errors import (
    CapacityError,
    InputError,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    TuttiError,
    Unauthorized,
    Unavailable,
    UnsupportedTask,
)
from tutti.interfaces import Embedder, Responder
from tutti.media import InProcess, Limits, decode_video
from tutti.media.frame_sampling import FrameReader
from tutti.model import Model
from tutti.providers.answer_cache import AnswerCache
from tutti.providers.anthropic import Anthropic
from tutti.providers.gemini import Gemini
from tutti.providers.hosted import Hosted, HostedOptions
from tutti.providers.keys import Key
from tutti.providers.openai import CHAT, OpenAI
from tutti.providers.spending import Spending

SECRET = "sk-never-to-be-seen"
MEDIA = Path(__file__).parents[2] / "examples/media"
Make = Callable[..., Hosted]
KINDS = ("openai", "anthropic", "gemini")
STREAMS: dict[str, Callable[..., Reply]] = {
    "openai": openai_stream,
    "anthropic": anthropic_stream,
    "gemini": gemini_stream,
}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def make(server: Loopback) -> Iterator[Make]:
    made: list[Any] = []

    def build(kind: str, *, official: bool = True, **options: Any) -> Hosted:
        settings = HostedOptions(**{"retries": 0, "timeout_s": 20, **options})
        key = Key(SECRET)
        if kind == "openai":
            model: Hosted = OpenAI("openai:m", "m", key, InProcess(Limits()), settings, base_url=f"{server.url}/v1")
            if official:
                model.own_server, model.accepts = False, CHAT
        else:
            model = {"anthropic": Anthropic, "gemini": Gemini}[kind](
                f"{kind}:m", "m", key, InProcess(Limits()), settings, base_url=server.url
            )
        made.append(model)
        return model

    yield build
    for model in made:
        model._client.close()


def ask(model: Hosted, *media: Any, **options: Any) -> Any:
    return Model(model).ask("What is this?", *media, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_comes_piece_by_piece_and_then_whole(kind: str, server: Loopback, make: Make) -> None:
    server.replies.append(STREAMS[kind]("a ", "dog"))
    events = list(Model(make(kind)).stream("What is this?", MEDIA / "picture.png"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["a ", "dog"]
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    assert (answer.text, answer.model, answer.finish_reason) == ("a dog", f"{kind}:m", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.cached_tokens) == (20, 2, 4)
    assert isinstance(make(kind), Responder)


def test_tokens_are_told_by_medium(server: Loopback, make: Make) -> None:
    server.replies += [openai_stream("x"), gemini_stream("x")]
    assert ask(make("openai")).usage == Usage(
        prompt_tokens=20, completion_tokens=2, media_tokens=3, audio_tokens=3, cached_tokens=4
    )
    assert ask(make("gemini")).usage == Usage(
        prompt_tokens=20, completion_tokens=2, media_tokens=15, video_tokens=15, cached_tokens=4
    )


@pytest.mark.parametrize(
    ("kind", "word"), [("openai", "length"), ("anthropic", "max_tokens"), ("gemini", "MAX_TOKENS")]
)
def test_an_answer_that_was_cut_says_so(kind: str, word: str, server: Loopback, make: Make) -> None:
    server.replies.append(STREAMS[kind]("a", ended=word))
    assert ask(make(kind), max_tokens=1).finish_reason == "length"


def test_a_picture_goes_to_each_in_its_own_form(server: Loopback, make: Make) -> None:
    for kind in KINDS:
        server.replies.append(STREAMS[kind]("x"))
        ask(make(kind), MEDIA / "picture.png")
    openai, anthropic, gemini = server.asked
    url = openai["messages"][0]["content"][0]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")
    block = anthropic["messages"][0]["content"][0]
    assert (block["type"], block["source"]["media_type"]) == ("image", "image/png")
    inline = gemini["contents"][0]["parts"][0]["inlineData"]
    assert inline.get("mimeType", inline.get("mime_type")) == "image/png", "the interface takes both spellings"
    contents = [url.partition(",")[2], block["source"]["data"], inline["data"]]
    assert len({hash(base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_"))) for data in contents}) == 1
    assert openai["messages"][0]["content"][1] == {"type": "text", "text": "What is this?"}


def test_settings_go_under_each_ones_names(server: Loopback, make: Make) -> None:
    options = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "stop": ("END",)}
    for kind in KINDS:
        server.replies.append(STREAMS[kind]("x"))
        turns = [Message("system", (Text("Be brief."),)), Message.user("Hi")]
        Model(make(kind)).ask(turns, **options)
    openai, anthropic, gemini = server.asked
    assert (openai["max_completion_tokens"], openai["temperature"], openai["stop"]) == (7, 0.5, ["END"])
    assert openai["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (anthropic["temperature"], anthropic["top_p"]) == (0.5, 0.9)
    assert (anthropic["max_tokens"], anthropic["system"], anthropic["stop_sequences"]) == (7, "Be brief.", ["END"])
    config = gemini["generationConfig"]
    assert (config["maxOutputTokens"], config["topP"], config["stopSequences"]) == (7, 0.9, ["END"])
    assert gemini["systemInstruction"]["parts"][0]["text"] == "Be brief."


def test_a_server_of_ones_own_is_told_what_openai_has_not(server: Loopback, make: Make) -> None:
    server.replies.append(openai_stream("x"))
    ask(make("openai", official=False), MEDIA / "video.mp4", top_k=5, repetition_penalty=1.2)
    body = server.asked[0]
    assert (body["top_k"], body["repetition_penalty"]) == (5, 1.2)
    assert body["messages"][0]["content"][0]["video_url"]["url"].startswith("data:video/mp4;base64,")


@pytest.mark.parametrize(
    ("kind", "medium", "takes", "given"),
    [
        ("openai", "video.mp4", "text and pictures (of OpenAI's, openai:gpt-audio-1.5 takes recordings)", "video"),
        ("openai", "recording.ogg", "text and pictures (of OpenAI's, openai:gpt-audio-1.5 takes recordings)", "audio"),
        ("anthropic", "recording.ogg", "text and pictures", "audio"),
    ],
)
def test_what_a_provider_does_not_take_is_refused_before_anything_is_sent(
    kind: str, medium: str, takes: str, given: str, server: Loopback, make: Make
) -> None:
    with pytest.raises(UnsupportedTask) as caught:
        ask(make(kind), MEDIA / medium)
    assert str(caught.value) == f"{kind}:m takes {takes}, and was given {given}; {one_that_can('ask', given)}"
    assert server.asked == []


def test_of_openais_models_some_see_and_some_hear() -> None:
    picture, recording = MEDIA / "picture.png", MEDIA / "recording.ogg"
    sees, hears = (
        Model(OpenAI(f"openai:{name}", name, Key(SECRET), InProcess(Limits()), HostedOptions()))
        for name in ("gpt-4o", "gpt-4o-audio-preview")
    )
    assert "<image/png, " in json.dumps(sees.preview("What is this?", picture))
    assert "<audio/wav, " in json.dumps(hears.preview("What is this?", recording))
    with pytest.raises(UnsupportedTask, match=r"openai:gpt-audio-1.5 takes recordings.*was given audio"):
        sees.preview("What is this?", recording)
    with pytest.raises(UnsupportedTask, match=r"openai:gpt-4o takes pictures.*was given image"):
        hears.preview("What is this?", picture)


def test_an_option_that_a_provider_has_not_is_refused(server: Loopback, make: Make) -> None:
    for kind, option in (("openai", "top_k"), ("anthropic", "seed"), ("gemini", "repetition_penalty")):
        with pytest.raises(UnsupportedTask, match=rf"^{kind}:m has no {option}; leave it out"):
            ask(make(kind), **{option: 3})
    assert server.asked == []


def photo_with_place(side: tuple[int, int] = (60, 40)) -> bytes:
    picture = PIL.Image.fromarray(np.full((side[1], side[0], 3), 120, np.uint8))
    exif = PIL.Image.Exif()
    exif[0x010F], exif[0x013B] = "CameraMaker", "Jane Doe"
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, comment=b"at home")
    return buffer.getvalue()


def test_metadata_stays_here_unless_it_is_wanted(make: Make) -> None:
    source = photo_with_place()
    assert b"Jane Doe" in source
    turn = [Message.user(Image(source), "Where?")]
    for keep in (False, True):
        payload = make("anthropic", keep_metadata=keep).payload(turn, SamplingOptions())
        sent = payload["messages"][0]["content"][0]["source"]["data"]
        for secret in (b"Jane Doe", b"CameraMaker", b"at home"):
            assert (secret in sent.data) == keep
        with PIL.Image.open(io.BytesIO(sent.data)) as picture:
            assert bool(picture.getexif()) == keep
            assert picture.size == ((60, 40) if keep else (40, 60)), "turned upright, since its tag stays here"


def test_a_recordings_tags_stay_here(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "tagged.flac"
    with soundfile.SoundFile(path, "w", 16_000, 1, format="FLAC") as file:
        file.artist = "Jane Doe"
        file.write(np.zeros(1600, np.float32))
    assert b"Jane Doe" in path.read_bytes()
    payload = make("gemini").payload([Message.user(Audio(path), "Who?")], SamplingOptions())
    sent = payload["contents"][0]["parts"][0]
    assert sent.mime == "audio/wav"
    assert b"Jane Doe" not in sent.data
    assert soundfile.info(io.BytesIO(sent.data)).frames == 1600


def test_a_videos_tags_stay_here_and_its_streams_are_copied(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "tagged.mp4"
    with av.open(MEDIA / "video.mp4") as source, av.open(path, "w") as target:
        target.metadata["title"] = "Jane Doe at home"
        copies = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    assert b"Jane Doe" in path.read_bytes()
    payload = make("gemini").payload([Message.user(Video(path), "What?")], SamplingOptions())
    sent = payload["contents"][0]["parts"][0]
    assert b"Jane Doe" not in sent.data
    with av.open(io.BytesIO(sent.data)) as copy, av.open(MEDIA / "video.mp4") as source:
        assert len(copy.streams) == len(source.streams)
        frames = [[frame.to_ndarray() for frame in film.decode(video=0)] for film in (copy, source)]
    assert all(np.array_equal(*pair) for pair in zip(*frames, strict=True))


def test_animations_and_arrays_are_sent_as_mp4_with_their_times(make: Make) -> None:
    pictures = [PIL.Image.new("RGB", (41, 33), color) for color in ("red", "lime", "blue")]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=[200, 500, 300])
    array = Video(np.stack([np.asarray(picture) for picture in pictures]), frames_per_s=2)
    for part, times_s, duration_s in ((Video(buffer.getvalue()), (0, 0.2, 0.7), 1.0), (array, (0, 0.5, 1.0), 1.5)):
        payload = make("gemini").payload([Message.user(part, "What?")], SamplingOptions())
        sent = payload["contents"][0]["parts"][0]
        assert (sent.mime, sent.done) == ("video/mp4", "metadata removed, 3 frames as MP4")
        clip = decode_video(Video(sent.data), Limits(), At(times_s))
        assert clip.times_s == pytest.approx(times_s)
        assert clip.duration_s == pytest.approx(duration_s)
        assert clip.frames.shape == (3, 32, 40, 3)
        assert [frame.mean((0, 1)).argmax() for frame in clip.frames] == [0, 1, 2]


@dataclass
class At:
    """The frames shown at given times."""

    times_s: tuple[float, ...]

    def moments(self, reader: FrameReader) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array(self.times_s) + 0.01


@pytest.mark.parametrize(
    ("name", "pictures", "width"),
    [
        ("claude-haiku-4-5", 1, 1568),
        ("claude-opus-4-20250514", 1, 1568),
        ("claude-3-7-sonnet-latest", 1, 1568),
        ("claude-opus-4-7", 1, 2576),
        ("claude-opus-5-5", 20, 2576),
        ("claude-opus-5-5", 21, 2000),
        ("claude-haiku-4-5", 21, 1568),
    ],
)
def test_large_pictures_are_scaled_to_what_the_model_uses(name: str, pictures: int, width: int) -> None:
    pixels = np.zeros((100, 4000, 3), np.uint8)
    model = Anthropic(f"anthropic:{name}", name, Key(SECRET), InProcess(Limits()), HostedOptions())
    payload = model.payload([Message.user(*[Image(pixels)] * pictures, "?")], SamplingOptions())
    sent = payload["messages"][0]["content"][pictures - 1]["source"]["data"]
    with PIL.Image.open(io.BytesIO(sent.data)) as picture:
        assert picture.width == width
    assert sent.done.startswith(f"metadata removed, 4000 x 100 scaled to {width} x ")


def test_too_much_is_refused_before_anything_is_sent(server: Loopback, make: Make) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16_000 * 460,)).astype(np.int16)
    with pytest.raises(CapacityError, match=r"would be sent as 14,720,044 bytes; gemini:m takes at most 14,000,000"):
        ask(make("gemini"), Audio(noise, sample_rate_hz=16_000))
    pictures = [Image(np.zeros((2, 2, 3), np.uint8))] * 101
    with pytest.raises(CapacityError, match=r"^There are 101 media; anthropic:m takes at most 100 in a request"):
        ask(make("anthropic"), *pictures)
    assert server.asked == []


def test_a_preview_shows_all_and_sends_nothing(server: Loopback, make: Make) -> None:
    for kind in KINDS:
        preview = Model(make(kind)).preview("What is this?", MEDIA / "picture.png")
        text = json.dumps(preview)
        assert "What is this?" in text
        assert "<image/png, " in text
        assert "metadata removed" in text
        assert SECRET not in text
    assert server.asked == []


@pytest.mark.parametrize("name", ["openai:gpt-4o", "anthropic:claude-opus-5-5", "gemini:gemini-2.5-pro"])
def test_a_preview_needs_no_key(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TUTTI_KEYS_FILE", str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="There is no key for"):
        tutti.load(name)
    model = tutti.load(name, hosted=HostedOptions(preview_only=True))
    assert "What is this?" in json.dumps(model.preview("What is this?", MEDIA / "picture.png"))
    with pytest.raises(InputError, match="was loaded for previews only; load it without preview_only to ask it"):
        model.ask("What is this?")


FAILURES = [
    (401, "no such key", Unauthorized, "refuses the key"),
    (403, "not yours", Unauthorized, "refuses the key"),
    (429, "slow down", RateLimited, "asks to slow down"),
    (429, "You exceeded your current quota, check billing", QuotaExceeded, "The quota of"),
    (500, "oops", Unavailable, "cannot be reached or is overloaded"),
    (503, "busy", Unavailable, "cannot be reached or is overloaded"),
    (400, "bad picture", ProviderError, "refuses the request with status 400"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("status", "message", "error", "said"), FAILURES)
def test_failures_become_our_errors_without_the_key(
    kind: str, status: int, message: str, error: type[TuttiError], said: str, server: Loopback, make: Make
) -> None:
    server.replies.append(failing(status, f"{message} {SECRET}"))
    with pytest.raises(error) as caught:
        ask(make(kind))
    assert said in str(caught.value)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert SECRET not in repr(make(kind).key)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_before_the_first_word_is_tried_again(kind: str, server: Loopback, make: Make) -> None:
    server.replies += [failing(503, "busy", retry_after="0"), STREAMS[kind]("a dog")]
    assert ask(make(kind, retries=1)).text == "a dog"
    assert len(server.asked) == 2
    assert server.asked[0] == server.asked[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_that_breaks_within_an_answer_is_an_error_and_not_an_answer(
    kind: str, server: Loopback, make: Make
) -> None:
    server.replies.append(STREAMS[kind]("a ", cut=True, **({"ended": None} if kind == "openai" else {})))
    stream = Model(make(kind)).stream("What is this?")
    assert next(stream) == TextDelta("a ")
    with pytest.raises(ProviderError):
        next(stream)
    assert len(server.asked) == 1, "what has begun is not asked again"


def test_no_server_at_all() -> None:
    with loopback() as state:
        url = state.url
    model = OpenAI("x", "m", Key(SECRET), InProcess(Limits()), HostedOptions(retries=0), base_url=f"{url}/v1")
    with pytest.raises(Unavailable, match="no connection"):
        ask(model)
    model._client.close()


def test_closing_the_stream_ends_it(server: Loopback, make: Make) -> None:
    server.replies.append(openai_stream("a ", "dog"))
    stream = Model(make("openai")).stream("What is this?")
    assert next(stream).text == "a "  # type: ignore[union-attr]
    stream.close()  # type: ignore[attr-defined]
    assert list(stream) == []


class Tariff:
    """A cent a prompt, a tenth of a cent a token of the answer."""

    def estimate(self, model: str, conversation: Any, max_tokens: int) -> float:
        return 0.01 + 0.001 * max_tokens

    def cost(self, model: str, usage: Usage) -> float:
        return 0.01 + 0.001 * usage.completion_tokens


def test_a_spending_limit_refuses_before_sending(server: Loopback, make: Make) -> None:
    spending = Spending(0.03)
    model = make("openai", spending=spending, prices=Tariff())
    server.replies += [openai_stream("a"), openai_stream("b")]
    assert ask(model, max_tokens=10).cost_usd == pytest.approx(0.012)
    assert spending.spent_usd == pytest.approx(0.012)
    with pytest.raises(CapacityError) as caught:
        ask(model, max_tokens=10)
    assert str(caught.value) == (
        "The request to openai:m would cost up to $0.0200; of the limit of $0.0300 there is $0.0180 left: "
        "raise it, or ask for less."
    )
    assert len(server.asked) == 1


def test_what_breaks_off_counts_at_its_estimate(server: Loopback, make: Make) -> None:
    spending = Spending(1.0)
    server.replies.append(failing(500, "oops"))
    with pytest.raises(Unavailable):
        ask(make("openai", spending=spending, prices=Tariff()), max_tokens=10)
    assert spending.spent_usd == pytest.approx(0.02)


def test_a_limit_without_prices_is_refused(server: Loopback, make: Make) -> None:
    with pytest.raises(UnsupportedTask, match="no price is known for openai:m"):
        ask(make("openai", spending=Spending(1.0)))
    assert server.asked == []


def test_the_same_question_is_paid_for_once(server: Loopback, make: Make, tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers")
    server.replies += [openai_stream("a dog"), openai_stream("a cat"), openai_stream("warm"), openai_stream("other")]
    model = make("openai", cache=cache, prices=Tariff())
    first, second = (ask(model, MEDIA / "picture.png") for _ in range(2))
    assert (first.text, second.text, len(server.asked)) == ("a dog", "a dog", 1)
    assert (first.cost_usd, second.cost_usd) == (pytest.approx(0.012), 0)
    assert ask(model).text == "a cat", "another medium is another question"
    assert ask(model, temperature=1.0).text == "warm", "what is drawn at random is not kept"
    assert ask(model, tenant="b").text == "other", "and nothing is shared between tenants"
    next(cache.folder.glob("*.json")).write_text("{")
    assert all(path.stat().st_mode & 0o077 == 0 for path in cache.folder.iterdir())


def test_texts_are_embedded_as_unit_rows(server: Loopback, make: Make) -> None:
    rows = [{"object": "embedding", "index": i, "embedding": [3.0 * i, 4.0]} for i in (1, 0)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    server.replies.append(Reply((json.dumps({"object": "list", "data": rows, "model": "m", "usage": usage}),)))
    values = {"embeddings": [{"values": [0.0, 2.0]}, {"values": [3.0, 4.0]}]}
    server.replies.append(Reply((json.dumps(values),)))
    for kind in ("openai", "gemini"):
        model = make(kind)
        assert isinstance(model, Embedder)
        vectors = model.embed([Text("a"), Text("b")]).vectors
        np.testing.assert_allclose(vectors, [[0, 1], [0.6, 0.8]], atol=1e-6)
        with pytest.raises(UnsupportedTask, match=rf"^{kind}:m embeds text only, and was given image"):
            model.embed([Image(MEDIA / "picture.png")])
    assert not isinstance(make("anthropic"), Embedder)
