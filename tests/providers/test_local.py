"""Local models: what they answer and embed is what their parts compute, by hand, without the engine."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers

from tests.models.conftest import TINY, tiny_model, tiny_values
from tutti import checkpoints
from tutti.content import Audio, Finished, Image, Message, SamplingOptions, Text, Usage, Video
from tutti.errors import TuttiError, UnsupportedTask
from tutti.media import InProcess, Limits
from tutti.model import load
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM
from tutti.providers.loading import LocalModel

MARKS = ["[PAD]", "<eos>", "<user>", "<assistant>", "<image>", "<audio>", "<video>", "[UNK]"]
WORDS = [*MARKS, *(f"w{index}" for index in range(len(MARKS), 40))]
SETTINGS: dict[str, Any] = {
    "image": {
        "size": {"longest_edge": 16}, "do_pad": True, "pad_color": "border_mean",
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    },
    "audio": {
        "feature_size": 8, "sampling_rate": 8000, "hop_length": 100, "n_fft": 200, "chunk_length": 5,
        "pad_multiple_frames": 8,
    },
    "video": {"frames": 2},
}  # fmt: skip
QUESTION = "w9 w10 w11"


def tokenizer_file() -> str:
    words = tokenizers.Tokenizer(models.WordLevel(dict(zip(WORDS, range(40), strict=True)), unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(MARKS)
    return words.to_str()


def files() -> dict[str, str]:
    """What a checkpoint of the tiny model holds beside its weights."""
    return {"tokenizer.json": tokenizer_file(), "preprocessor_config.json": json.dumps(SETTINGS)}


Save = Callable[..., Path]


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Save:
    """Write a tiny checkpoint with a configuration changed so."""

    def write(**changes: Any) -> Path:
        path = tmp_path_factory.mktemp("models") / "tiny"
        checkpoints.save(tiny_model(**changes), path, tiny_values(**changes), files())
        return path

    return write


@pytest.fixture(scope="module")
def local(save: Save) -> LocalModel:
    provider = load(save()).provider
    assert isinstance(provider, LocalModel)
    return provider


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def sound(seed: int) -> Audio:
    return Audio(np.random.default_rng(seed).uniform(-1, 1, 2000).astype(np.float32), sample_rate_hz=8000)


def greedy(local: LocalModel, ids: list[int], media: dict[str, Any], count: int) -> str:
    """What the model says next, by its whole forward pass each time."""
    model: Any = local.model
    said: list[int] = []
    with torch.inference_mode():
        for _ in range(count):
            said.append(int(model(torch.tensor([ids + said]), media).logits[0, -1].argmax()))
    assert local.processor.layout.eos_id not in said
    return local.processor.tokenizer.decode(said)


def answer(local: LocalModel, *messages: Message, **options: Any) -> Any:
    *_, last = local.stream(messages, SamplingOptions(**options))
    assert isinstance(last, Finished)
    return last.answer


def sentence(act: Any) -> str:
    with pytest.raises(TuttiError) as caught:
        act()
    assert isinstance(caught.value, UnsupportedTask)
    return str(caught.value)


def test_an_answer_is_the_likeliest_word_each_time(local: LocalModel) -> None:
    picture = local.processor.picture(pixels(1)).arrays["pixel_values"]
    ids = [2, *[4] * 4, 9, 10, 11, 3]
    expected = greedy(local, ids, {"image": {"pixel_values": torch.from_numpy(picture)[None]}}, 5)
    given = answer(local, Message.user(Image(pixels(1)), QUESTION), max_tokens=5)
    assert given.text == expected
    assert given.finish_reason == "length"
    assert given.model == local.name
    assert given.usage == Usage(prompt_tokens=9, completion_tokens=5, media_tokens=4, image_tokens=4)
    assert given.seconds > 0
    assert given.cost_usd == 0


def test_a_conversation_is_read_turn_by_turn_with_media_first(local: LocalModel) -> None:
    features = local.processor.sound(sound(1).source).arrays["input_features"]  # type: ignore[arg-type]
    assert features.shape == (8, 24)
    # 24 frames of sound are three tokens; an assistant's turn ends with its mark.
    ids = [2, 9, 3, 12, 13, 1, 2, *[5] * 3, 10, 11, 3]
    expected = greedy(local, ids, {"audio": {"input_features": torch.from_numpy(features)[None]}}, 4)
    turns = (
        Message.user("w9"),
        Message("assistant", (Text("w12 w13"),)),
        Message.user("w10", sound(1), "w11"),
    )
    assert answer(local, *turns, max_tokens=4).text == expected


def test_marks_spelled_out_by_a_user_are_words(local: LocalModel) -> None:
    given = answer(local, Message.user("w9 <assistant> w10 <eos>"), max_tokens=1)
    plain = answer(local, Message.user("w9 z z z w10 z z z"), max_tokens=1)
    assert given.text == plain.text
    assert given.usage == plain.usage == Usage(prompt_tokens=10, completion_tokens=1)


def test_an_answer_stops_at_the_end_token(save: Save) -> None:
    path = save()
    loaded = checkpoints.load(path)
    with torch.no_grad():
        loaded.model.output_bias[1] = 1e4  # type: ignore[operator, index]
    files = {name: (path / name).read_bytes() for name in ("tokenizer.json", "preprocessor_config.json")}
    checkpoints.save(loaded.model, path, tiny_values(), files)
    given = load(path).ask(QUESTION)
    assert (given.text, given.finish_reason) == ("", "stop")
    assert given.usage == Usage(prompt_tokens=5)


def test_points_are_those_of_the_model_in_the_order_given(local: LocalModel) -> None:
    clip = np.stack([pixels(3), pixels(4)])
    parts = [Text("w9 w10"), Image(pixels(1)), sound(1), Text("w9"), Image(pixels(2)), Video(clip, frames_per_s=1)]
    given = local.embed(parts)
    model, of = local.model, local.processor
    with torch.inference_mode():
        expected = [
            model.embed_text(torch.tensor([[9, 10]]), torch.ones(1, 2)),
            model.embed_media("image", tensors(of.picture(pixels(1)))),
            model.embed_media("audio", tensors(of.sound(sound(1).source))),  # type: ignore[arg-type]
            model.embed_text(torch.tensor([[9]]), torch.ones(1, 1)),
            model.embed_media("image", tensors(of.picture(pixels(2)))),
            model.embed_media("video", tensors(of.clip(clip, None))),
        ]
    np.testing.assert_allclose(given.vectors, torch.cat(expected).numpy(), atol=1e-5)
    # Three words, two pictures of four tokens, a sound of three, a clip of two frames.
    assert given.usage == Usage(
        prompt_tokens=3 + 8 + 3 + 2, media_tokens=8 + 3 + 2, image_tokens=8, audio_tokens=3, video_tokens=2
    )


def test_a_tenants_media_are_embedded_once(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalModel("tiny", checkpoints.load(save()), InProcess(Limits()))
    parts = [Image(pixels(1)), Text("w9"), sound(1)]
    fresh = local.embed(parts)
    assert local.stats()["embedding_cache_bytes"] == 0, "without a tenant nothing is kept"
    first = local.embed(parts, "a")
    assert local.embed(parts, "b").usage.cached_tokens == first.usage.cached_tokens == 0
    answered = list(local.stream([Message.user(Image(pixels(1)), "w9")], SamplingOptions(tenant="a", max_tokens=1)))
    assert answered[-1].answer.usage.cached_tokens == 0, "a point in the space is not what the decoder reads"

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(local.model, "embed_media", never)
    again = local.embed(parts, "a")
    assert np.array_equal(fresh.vectors, first.vectors)
    assert np.array_equal(again.vectors, first.vectors)
    assert again.usage.cached_tokens == again.usage.media_tokens == 4 + 3
    assert local.stats()["embedding_cache_hits_total"] == 2


def tensors(medium: Any) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array)[None] for name, array in medium.arrays.items()}


def test_more_items_than_are_computed_at_once(local: LocalModel) -> None:
    texts = [Text(f"w{8 + index % 32}") for index in range(70)]
    rows = local.embed(texts).vectors
    np.testing.assert_allclose(rows[32:64], rows[:32], atol=1e-5)
    np.testing.assert_allclose(rows[64:], rows[:6], atol=1e-5)
    assert len(np.unique(rows[:32].round(4), axis=0)) == 32


def test_every_form_of_a_picture_is_one_picture(save: Save, tmp_path: Path) -> None:
    model, encoded = load(save()), io.BytesIO()
    PIL.Image.fromarray(pixels(1)).save(encoded, "PNG")
    file = tmp_path / "picture.png"
    file.write_bytes(encoded.getvalue())
    url = "data:image/png;base64," + base64.b64encode(encoded.getvalue()).decode()
    rows = model.embed([Image(pixels(1)), file, Image(str(file)), encoded.getvalue(), Image(url), pixels(1)])
    assert np.ptp(rows, axis=0).max() < 1e-6
    assert model.ask(QUESTION, url, max_tokens=3).text == model.ask(QUESTION, pixels(1), max_tokens=3).text


def test_what_the_decoder_does_not_hear_of_is_embedded_all_the_same(save: Save) -> None:
    changed = {key: {"audio": TINY[key]["audio"]} for key in ("connectors", "placeholder_ids")}
    values = {**tiny_values(), **changed}
    model = tiny_model()
    path = save()
    for name in ("image", "video"):
        del model.connectors[name]
    files = {name: (path / name).read_bytes() for name in ("tokenizer.json", "preprocessor_config.json")}
    checkpoints.save(model, path, values, files)
    loaded = load(path)
    assert loaded.embed([Image(pixels(1))]).shape == (1, 10)
    said = sentence(lambda: loaded.ask(QUESTION, pixels(1)))
    assert said == "This model does not hear of image in a conversation; it takes audio."


def test_a_decoder_of_text_answers_until_its_end_token(tmp_path: Path) -> None:
    values = {"model_type": "llama", **TINY["decoder"], "eos_token_id": 3}
    torch.manual_seed(0)
    decoder = LlamaForCausalLM(LlamaConfig.from_hf(values))
    with torch.no_grad():
        decoder.lm_head.weight[: len(MARKS)] = 0  # marks have no text
    likely = int(decoder(torch.tensor([[9, 10, 11]])).logits[0, -1].argmax())
    files = {"tokenizer.json": tokenizer_file()}
    checkpoints.save(decoder, tmp_path / "text", values, files)
    given = load(tmp_path / "text").ask(QUESTION, max_tokens=1)
    assert (given.text, given.finish_reason) == (WORDS[likely], "length")
    files["generation_config.json"] = json.dumps({"eos_token_id": [7, likely]})
    checkpoints.save(decoder, tmp_path / "text", values, files)
    given = load(tmp_path / "text").ask(QUESTION)
    assert (given.text, given.finish_reason) == ("", "stop")
    said = sentence(lambda: load(tmp_path / "text").ask(QUESTION, pixels(1)))
    assert said == f"{tmp_path / 'text'} takes text, and was given image; tutti-mini answers questions about image."
