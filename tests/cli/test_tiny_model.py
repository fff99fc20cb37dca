"""From a file to an answer with a tiny checkpoint of random weights: what must hold whatever a model has learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tokenizers
import torch
from PIL import Image
from tokenizers import models, pre_tokenizers

import tutti
from tutti import checkpoints
from tutti.cli.main import main
from tutti.content import Finished, TextDelta
from tutti.errors import CapacityError, UnsupportedTask
from tutti.models.omni.config import OmniConfig
from tutti.models.omni.model import Omni

MEDIA = Path(__file__).parents[2] / "examples" / "media"
WORDS = [
    "<user>",
    "<model>",
    "<end>",
    "<image>",
    "<audio>",
    "<video>",
    "[UNK]",
    *"what is this a red dog cat in the".split(),
]
CONTEXT, LONGEST_S = 256, 6
TRUNK = {"channels": [4, 4, 4], "blocks": [0, 1, 1], "width": 8, "layers": 1, "heads": 2, "inner": 16}
CONFIG: dict[str, Any] = {
    "model_type": "tutti_omni",
    "shared_width": 8,
    "words": {
        "vocabulary": len(WORDS), "width": 8, "special_tokens": 6, "layers": 1, "heads": 2, "inner": 16, "max_tokens": 8
    },
    "trunks": {
        "image": {"kind": "picture", "size": 64, **TRUNK},
        "audio": {"kind": "sound", "size": 16, **TRUNK},
        "video": {"kind": "frames", "of": "image", "sound": "audio", "max_frames": 8},
    },
    "connectors": {
        "image": {"kind": "mlp", "merge": 2},
        "audio": {"kind": "linear", "merge": 4},
        "video": {"kind": "mlp", "merge": 4},
    },
    "decoder": {
        "model_type": "llama", "vocab_size": len(WORDS), "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
    },
    "placeholder_ids": {"image": 3, "audio": 4, "video": 5},
    "user_id": 0,
    "assistant_id": 1,
    "eos_id": 2,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "image": {
        "size": {"longest_edge": 64}, "do_pad": True, "pad_color": "border_mean",
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    },
    "audio": {
        "feature_size": 16, "sampling_rate": 8000, "hop_length": 100, "n_fft": 200,
        "chunk_length": LONGEST_S, "pad_multiple_frames": 64,
    },
    "video": {"frames": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that never ends of itself, so that its answers are as long as they may be."""
    torch.manual_seed(3)
    model = Omni(OmniConfig.from_hf(CONFIG))
    model.words.table.random_(-127, 128)
    model.words.scale.fill_(0.02)
    with torch.no_grad():
        model.output_bias[:7] = -1e4
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    files = {"tokenizer.json": tokenizer.to_str(), "preprocessor_config.json": json.dumps(SETTINGS)}
    path = tmp_path_factory.mktemp("checkpoints") / "tiny"
    checkpoints.save(model, path, CONFIG, files)
    return path


@pytest.fixture(scope="module")
def loaded(folder: Path) -> tutti.Model:
    """The checkpoint as `tutti.load` gives it."""
    return tutti.load(folder)


@pytest.fixture
def encoded(loaded: tutti.Model, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modality of everything that the model encodes for its decoder, in order."""
    modalities: list[str] = []
    local: Any = loaded.provider
    encode = local.model.encode_media

    def counted(modality: str, arrays: Mapping[str, torch.Tensor]) -> torch.Tensor:
        modalities.append(modality)
        return encode(modality, arrays)

    monkeypatch.setattr(local.model, "encode_media", counted)
    return modalities


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 40, 3)).astype(np.uint8)


def ask(folder: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["ask", *words, "--model", str(folder), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_a_second_question_on_the_same_medium_encodes_nothing(
    loaded: tutti.Model, encoded: list[str], tmp_path: Path
) -> None:
    pixels = picture(1)
    file = tmp_path / "picture.png"
    Image.fromarray(pixels).save(file)
    first = loaded.ask("what is this", pixels, max_tokens=4)
    assert encoded == ["image"]
    loaded.ask("is this a dog", pixels, max_tokens=4)
    loaded.ask("is this a cat", file, max_tokens=4)
    loaded.ask("is this red", file.read_bytes(), max_tokens=4)
    assert encoded == ["image"], "the same pixels by every way to them"
    assert loaded.ask("what is this", pixels, max_tokens=4).text == first.text
    loaded.ask("what is this", picture(2), max_tokens=4)
    assert encoded == ["image", "image"]


def test_found_in_the_cache_is_encoded_afresh(folder: Path, loaded: tutti.Model) -> None:
    loaded.ask("is this a cat", picture(5), max_tokens=3)
    known = loaded.ask("what is this dog", picture(5), max_tokens=12)
    assert tutti.load(folder).ask("what is this dog", picture(5), max_tokens=12).text == known.text


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("picture.png", 16), ("recording.ogg", 14), ("video.mp4", 8 * 4 + 8)],
)
def test_each_medium_takes_the_tokens_that_its_processor_says(
    name: str, tokens: int, loaded: tutti.Model, encoded: list[str]
) -> None:
    answer = loaded.ask("what is this", MEDIA / name, max_tokens=2)
    assert answer.usage.media_tokens == tokens
    assert answer.usage.prompt_tokens == tokens + 5  # the user's turn, three words, the model's turn
    loaded.ask("is this a dog", MEDIA / name, max_tokens=2)
    assert len(encoded) <= 1


def test_the_sound_of_a_video_counts(loaded: tutti.Model) -> None:
    silent = tutti.Video(np.stack([picture(1)] * 8), frames_per_s=8)
    assert loaded.ask("what is this", silent, max_tokens=2).usage.media_tokens == 8 * 4


def test_ask_json_has_every_field(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(folder, "what is this", str(MEDIA / "picture.png"), "--max-tokens", "5", capsys=capsys)
    fields = "text model finish_reason usage seconds cost_usd evidence notes logprobs tool_calls stopped_by"
    assert {*answer} == {*fields.split()}
    assert answer["model"] == str(folder)
    assert answer["finish_reason"] == "length"
    assert answer["usage"].items() >= {"prompt_tokens": 21, "completion_tokens": 5, "media_tokens": 16}.items()
    assert answer["seconds"] > 0
    assert answer["cost_usd"] == 0
    assert len(answer["text"].split()) == 5


def test_seeds_repeat_and_differ(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["what is this", str(MEDIA / "picture.png"), "--temperature", "3", "--max-tokens", "24", "--seed"]
    drawn = [ask(folder, *words, seed, capsys=capsys)["text"] for seed in ("7", "7", "8")]
    assert drawn[0] == drawn[1] != drawn[2]


def test_greedy_is_temperature_zero_whatever_the_seed(loaded: tutti.Model) -> None:
    answers = {loaded.ask("what is this", picture(1), max_tokens=12, seed=seed).text for seed in (0, 1)}
    assert answers == {loaded.ask("what is this", picture(1), max_tokens=12, temperature=3, top_k=1).text}


def test_a_stop_string_ends_the_answer_and_is_no_part_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["what is this", str(MEDIA / "picture.png"), "--temperature", "3", "--max-tokens", "24"]
    whole = ask(folder, *words, capsys=capsys)["text"]
    stop = whole.split()[5]
    cut = ask(folder, *words, "--stop", stop, "--stop", "never said", capsys=capsys)
    assert cut["finish_reason"] == "stop"
    assert cut["text"] == whole[: whole.index(stop)]


def test_streamed_is_whole(loaded: tutti.Model) -> None:
    asked: dict[str, Any] = {"temperature": 2.0, "seed": 5, "max_tokens": 20}
    *pieces, last = loaded.stream("what is this", picture(1), **asked)
    assert all(isinstance(piece, TextDelta) for piece in pieces)
    assert isinstance(last, Finished)
    assert "".join(piece.text for piece in pieces) == last.answer.text
    assert last.answer.text == loaded.ask("what is this", picture(1), **asked).text


def test_an_abandoned_stream_leaves_room_for_the_next(loaded: tutti.Model) -> None:
    local: Any = loaded.provider
    free = local.engine.blocks.free
    stream: Any = loaded.stream("what is this", picture(1), max_tokens=50)
    next(stream)
    assert local.engine.blocks.free < free
    stream.close()
    assert local.engine.blocks.free == free


def test_more_media_than_the_model_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "what", *[str(MEDIA / "picture.png")] * 20, "--model", str(folder)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "tutti: This model's maximum context length is 256 tokens, and the prompt of 323 leaves none for an answer; "
        "shorten it or give fewer media.\n"
    )


def test_a_sound_longer_than_the_model_hears(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(7 * 8000, np.int16), 8000)
    answer = ask(folder, "what", str(tmp_path / "long.wav"), capsys=capsys)
    assert len(answer["notes"]) == 1
    assert "lasts 7.0 s" in answer["notes"][0]
    assert "first 6 s" in answer["notes"][0]


@pytest.mark.parametrize(
    "part",
    [
        tutti.Depth(np.ones((4, 4), np.float32)),
        tutti.Thermal(np.full((4, 4), 300, np.float32)),
        tutti.Motion(np.zeros((10, 6), np.float32), sample_rate_hz=100),
    ],
    ids=lambda part: part.modality,
)
def test_sensors_are_parts_that_this_model_does_not_take(part: tutti.Depth, loaded: tutti.Model) -> None:
    with pytest.raises(UnsupportedTask, match=f"takes text, image, audio and video, and was given {part.modality}"):
        loaded.ask("what is this", part)
    with pytest.raises(UnsupportedTask, match=f"was given {part.modality}"):
        loaded.embed([part])


def test_settings_reach_the_decoders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_MODEL", str(folder))
    monkeypatch.setenv("TUTTI_MAX_PIXELS", "1000")
    with pytest.raises(CapacityError, match="the limit is 1,000 in all: make it smaller or raise TUTTI_MAX_PIXELS"):
        tutti.load().ask("what is this", MEDIA / "picture.png")


def test_alone_and_together_the_vectors_are_the_same(loaded: tutti.Model) -> None:
    items = ["a dog", "a red cat in the dog", tutti.Image(MEDIA / "picture.png"), tutti.Image(picture(1)),
             tutti.Audio(MEDIA / "recording.ogg"), tutti.Video(MEDIA / "video.mp4")]  # fmt: skip
    together = loaded.embed(items)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    for item, row in zip(items, together, strict=True):
        np.testing.assert_allclose(loaded.embed([item])[0], row, atol=1e-5)
