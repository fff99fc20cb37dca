"""Whisper and Wav2Vec2 checkpoints behind the face of all models: they transcribe, and say what they cannot do."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tokenizers
import torch
from numpy.typing import NDArray
from tokenizers import AddedToken, decoders
from tokenizers import models as token_models

from tutti import checkpoints
from tutti.content import Audio, Image, Transcript, Video
from tutti.errors import CapacityError, CheckpointError, InputError, UnsupportedConfig, UnsupportedTask
from tutti.model import Model, load
from tutti.models.wav2vec2.config import Wav2Vec2Config
from tutti.models.wav2vec2.model import Wav2Vec2ForCTC
from tutti.models.whisper.config import WhisperConfig
from tutti.models.whisper.model import WhisperForConditionalGeneration

MEDIA = Path(__file__).parents[2] / "examples" / "media"
SPECIAL = ("endoftext", "startoftranscript", "en", "fr", "translate", "transcribe", "startofprev", "nospeech")
LETTERS = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6}


def save_whisper(path: Path, **settings: Any) -> Path:
    """A tiny checkpoint whose windows last one second."""
    names = ["a", "Ġdog", "Ġcat", "Ġbarks", "!"]
    made = tokenizers.Tokenizer(token_models.BPE({name: index for index, name in enumerate(names)}, []))
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([f"<|{name}|>" for name in (*SPECIAL, "notimestamps")])
    made.add_tokens([AddedToken(f"<|{step / 50:.2f}|>", special=False) for step in range(51)])
    config = {
        "model_type": "whisper",
        "vocab_size": made.get_vocab_size(),
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "max_source_positions": 50,
        "max_target_positions": 32,
        "decoder_start_token_id": made.token_to_id("<|startoftranscript|>"),
        "eos_token_id": made.token_to_id("<|endoftext|>"),
    }
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(WhisperConfig.from_hf(config))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    languages = {f"<|{code}|>": made.token_to_id(f"<|{code}|>") for code in ("en", "fr")}
    tasks = {task: made.token_to_id(f"<|{task}|>") for task in ("transcribe", "translate")}
    quiet = [made.token_to_id(f"<|{name}|>") for name in SPECIAL[1:]]
    generation = {
        "is_multilingual": True,
        "lang_to_id": languages,
        "task_to_id": tasks,
        "suppress_tokens": quiet,
        "begin_suppress_tokens": [config["eos_token_id"]],
        **settings,
    }
    files = {
        "tokenizer.json": made.to_str(),
        "generation_config.json": json.dumps(generation),
        "preprocessor_config.json": json.dumps({"feature_size": 80, "chunk_length": 1}),
    }
    checkpoints.save(model, path, config, files)
    return path


def save_wav2vec2(path: Path) -> Path:
    """A tiny checkpoint that hears loudness: "A" where it is quiet, "B" where it is loud, a blank in silence."""
    config = {
        "model_type": "wav2vec2",
        "vocab_size": len(LETTERS),
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "conv_dim": [8, 8],
        "conv_kernel": [10, 8],
        "conv_stride": [40, 8],
        "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2,
    }
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(config))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    files = {
        "vocab.json": json.dumps(LETTERS),
        "tokenizer_config.json": json.dumps({"word_delimiter_token": "|", "pad_token": "<pad>"}),
        "preprocessor_config.json": json.dumps({"feature_size": 1, "do_normalize": False}),
    }
    checkpoints.save(model, path, config, files)
    return path


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(save_whisper(tmp_path_factory.mktemp("speech") / "whisper"))


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(save_wav2vec2(tmp_path_factory.mktemp("speech") / "wav2vec2"))


def noise(seconds: float, seed: int = 0, rate_hz: int = 16_000) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    samples = round(seconds * rate_hz)
    loudness = np.repeat(random.uniform(0.0, 0.3, -(-samples // 2000)), 2000)[:samples]
    return (random.normal(0, 1, samples) * loudness).clip(-1, 1).astype(np.float32)


def check(transcript: Transcript, duration_s: float) -> None:
    """What holds for every transcript."""
    assert transcript.duration_s == pytest.approx(duration_s, abs=0.01)
    assert transcript.seconds > 0
    starts = [segment.start_s for segment in transcript.segments]
    assert starts == sorted(starts)
    assert all(0 <= one.start_s <= one.end_s <= transcript.duration_s for one in transcript.segments)
    assert all(one.text == one.text.strip() != "" for one in transcript.segments)
    together = "".join(one.text for one in transcript.segments)
    assert together.replace(" ", "") == transcript.text.replace(" ", "")


def test_whisper_writes_down_a_recording_of_several_windows(whisper: Model) -> None:
    done: list[float] = []
    sound = Audio(noise(3.3), sample_rate_hz=16_000)
    transcript = whisper.transcribe(sound, language="french", task="translate", progress=done.append)
    check(transcript, 3.3)
    assert (transcript.language, transcript.task, transcript.model) == ("fr", "translate", whisper.name)
    assert len(transcript.segments) >= 3
    assert done == sorted(done)
    assert done[-1] == 1
    again = whisper.transcribe(sound, language="fr", task="translate")
    assert again.segments == transcript.segments
    assert str(transcript) == transcript.text


def test_whisper_tells_the_language(whisper: Model) -> None:
    transcript = whisper.transcribe(MEDIA / "recording.ogg")
    assert transcript.language in ("en", "fr")
    assert transcript.task == "transcribe"
    plain = whisper.transcribe(Audio(noise(0.7), sample_rate_hz=16_000), timestamps="none")
    assert len(plain.segments) <= 1


def test_the_form_of_a_recording_does_not_matter(whisper: Model, tmp_path: Path) -> None:
    clip = noise(1.4, rate_hz=44_100)
    file = tmp_path / "clip.wav"
    soundfile.write(file, np.stack([clip, clip], 1), 44_100, subtype="FLOAT")
    expected = whisper.transcribe(file, language="en").segments
    assert expected
    assert whisper.transcribe(file.read_bytes(), language="en").segments == expected
    assert whisper.transcribe(Audio(clip, sample_rate_hz=44_100), language="en").segments == expected


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2"])
def test_a_video_is_heard(kind: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(kind)
    transcript = model.transcribe(MEDIA / "video.mp4")
    check(transcript, 3.0)
    assert transcript.segments
    assert model.transcribe(Video(MEDIA / "video.mp4")).segments == transcript.segments


def test_wav2vec2_times_words_and_joins_them_between_pauses(wav2vec2: Model) -> None:
    clip = np.concatenate([noise(1.0, 1), np.zeros(16_000, np.float32), noise(1.0, 2)])
    sound = Audio(clip, sample_rate_hz=16_000)
    words = wav2vec2.transcribe(sound, timestamps="word")
    check(words, 3.0)
    assert (words.language, words.task) == (None, "transcribe")
    assert [segment.text for segment in words.segments] == words.text.split()
    joined = wav2vec2.transcribe(sound)
    check(joined, 3.0)
    assert len(joined.segments) < len(words.segments)
    for before, after in zip(joined.segments, joined.segments[1:], strict=False):
        assert after.start_s - before.end_s >= 0.5 or after.end_s - before.start_s > 12


def test_a_long_recording_is_spelled_in_windows(wav2vec2: Model) -> None:
    done: list[float] = []
    transcript = wav2vec2.transcribe(Audio(noise(45, 3), sample_rate_hz=16_000), progress=done.append)
    check(transcript, 45)
    assert len(done) > 1
    assert done[-1] == 1


def test_silence_and_scraps_of_sound(whisper: Model, wav2vec2: Model) -> None:
    for samples in (np.zeros(16_000, np.float32), np.zeros(1, np.float32), np.ones(100, np.float32)):
        check(whisper.transcribe(Audio(samples, sample_rate_hz=16_000)), len(samples) / 16_000)
    check(wav2vec2.transcribe(Audio(np.zeros(16_000, np.float32), sample_rate_hz=16_000)), 1.0)
    with pytest.raises(InputError, match="has 100 samples; this model needs 290 or more"):
        wav2vec2.transcribe(Audio(np.ones(100, np.float32), sample_rate_hz=16_000))


def test_what_cannot_be_done_names_one_that_can(whisper: Model, wav2vec2: Model) -> None:
    recording = MEDIA / "recording.ogg"
    with pytest.raises(UnsupportedTask, match=r"not of words; a Wav2Vec2 checkpoint gives those"):
        whisper.transcribe(recording, timestamps="word")
    for options in ({"task": "translate"}, {"language": "en"}):
        with pytest.raises(UnsupportedTask, match="Whisper does, such as openai/whisper-base"):
            wav2vec2.transcribe(recording, **options)
    for model in (whisper, wav2vec2):
        with pytest.raises(UnsupportedTask, match="does not answer questions; tutti-mini does"):
            model.ask("What?", recording)
        with pytest.raises(UnsupportedTask, match="tutti-mini"):
            model.embed(["a dog"])
        with pytest.raises(UnsupportedTask, match="takes recordings and the sound of videos, and was given image"):
            model.transcribe(Image(MEDIA / "picture.png"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"beams": 5}, "Unknown option 'beams'; known are: language, task"),
        ({"timestamps": "letter"}, "timestamps is 'letter'; expected none, segment, word"),
        ({"timestamps": True}, "timestamps is True; expected none, segment, word"),
        ({"temperatures": ()}, "temperatures is empty; expected at least one"),
        ({"temperatures": -1}, "temperature is -1.0; expected 0"),
        ({"language": "xx"}, "The language 'xx' is not one of this model's; known are en, fr"),
        ({"task": "sing"}, "The task is 'sing'; expected transcribe or translate"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], sentence: str, whisper: Model) -> None:
    with pytest.raises(InputError, match=sentence):
        whisper.transcribe(MEDIA / "recording.ogg", **options)


def test_a_video_without_sound_and_one_too_long_are_refused(
    whisper: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="expected"):
        whisper.transcribe(Video(np.zeros((2, 8, 8, 3), np.uint8), frames_per_s=1))
    monkeypatch.setenv("TUTTI_MAX_SECONDS", "1")
    with pytest.raises(CapacityError, match="the limit is 1 s"):
        load(save_whisper(tmp_path / "short")).transcribe(MEDIA / "recording.ogg")


def test_facts_are_known_without_weights(whisper: Model, wav2vec2: Model) -> None:
    for model, per_second in ((whisper, 50.0), (wav2vec2, 50.0)):
        info = checkpoints.inspect(model.name)
        assert info.supported
        assert info.tasks == ("transcribe",)
        assert info.media_tokens == {"audio": {"second": per_second}, "video": {"second": per_second}}


@pytest.mark.parametrize(
    ("file", "values", "error", "sentence"),
    [
        ("preprocessor_config.json", {"feature_size": 128}, UnsupportedConfig, "make 128 mel bins and 100 frames"),
        ("preprocessor_config.json", {"chunk_length": 2}, UnsupportedConfig, "and 200 frames of a window"),
        ("preprocessor_config.json", {"loudness": 1}, UnsupportedConfig, "unknown key 'loudness' for sound"),
        ("generation_config.json", {"num_beams": 5}, UnsupportedConfig, "num_beams 5; only 1 is computed"),
        ("config.json", {"scale_embedding": True}, UnsupportedConfig, "scale_embedding is True; .* False only"),
        ("config.json", {"activation_function": "relu"}, UnsupportedConfig, "activation_function is 'relu'"),
        ("config.json", {"rhythm": 1}, UnsupportedConfig, "whisper configuration has the unknown key 'rhythm'"),
        ("config.json", {"d_model": 15}, UnsupportedConfig, "d_model is 15 and encoder_attention_heads is 2"),
        ("config.json", {"decoder_layers": 2}, CheckpointError, r"lacks .* \(model.decoder.layers.1"),
        ("config.json", {"tie_word_embeddings": False}, CheckpointError, r"lacks 1 weight .*proj_out.weight"),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused(
    file: str, values: dict[str, Any], error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    folder = save_whisper(tmp_path / "whisper")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | values))
    with pytest.raises(error, match=sentence):
        load(folder)


def test_a_recording_of_no_samples_is_refused(whisper: Model) -> None:
    content = io.BytesIO()
    soundfile.write(content, np.zeros(0, np.float32), 16_000, format="WAV")
    with pytest.raises(InputError, match="holds no sound"):
        whisper.transcribe(content.getvalue())


# What holds nothing.


@pytest.mark.parametrize("seconds", [0.01, 0.7, 3.0])
@pytest.mark.parametrize("level", [0.0, 0.01])
def test_what_holds_nothing_is_not_written_down(tmp_path: Path, seconds: float, level: float) -> None:
    """The model says words whatever it is given; silence and steady noise are none of its business."""
    model = load(save_whisper(tmp_path / "whisper"))
    samples = np.random.default_rng(0).normal(0, level, round(seconds * 16_000)).astype(np.float32)
    options: dict[str, Any] = {"logprob_threshold": None, "no_speech_threshold": None}
    found = model.transcribe(Audio(samples, sample_rate_hz=16_000), language="en", **options)
    assert (found.text, found.segments, found.language) == ("", (), "en")
    assert model.transcribe(Audio(samples, sample_rate_hz=16_000)).language is None
    letters = load(save_wav2vec2(tmp_path / "letters"))
    assert letters.transcribe(Audio(np.zeros(8000, np.float32), sample_rate_hz=16_000)).text == ""


def test_times_of_a_long_recording_lead_back_over_its_silence(tmp_path: Path) -> None:
    model = load(save_whisper(tmp_path / "whisper"))
    samples = np.zeros(40 * 16_000, np.float32)
    random = np.random.default_rng(0)
    for begin_s in (10, 30):
        loudness = np.repeat(random.uniform(0.01, 0.3, 10), 1600)
        samples[begin_s * 16_000 : (begin_s + 1) * 16_000] = random.normal(0, 1, 16_000) * loudness
    options: dict[str, Any] = {"language": "en", "temperatures": 0.0, "logprob_threshold": None}
    found = model.transcribe(Audio(samples, sample_rate_hz=16_000), no_speech_threshold=None, **options)
    assert found.duration_s == 40
    assert found.segments
    for segment in found.segments:
        assert 9 < segment.start_s < 12 or 29 < segment.start_s < 32
        assert segment.end_s < 32


def test_vocab_and_merges_alone_are_read(tmp_path: Path) -> None:
    folder = save_whisper(tmp_path / "whisper")
    whole = json.loads((folder / "tokenizer.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "added_tokens.json").write_text(json.dumps({one["content"]: one["id"] for one in whole["added_tokens"]}))
    with_json = checkpoints.load(folder).processor
    (folder / "tokenizer.json").unlink()
    without = checkpoints.load(folder).processor
    assert without.tokens == with_json.tokens
    assert without.text([0, 1, 2]) == with_json.text([0, 1, 2])
    (folder / "vocab.json").unlink()
    with pytest.raises(
        InputError, match=r"There is no .*tokenizer.json; expected the tokenizer in that form.*AutoTokenizer"
    ):
        checkpoints.load(folder)
