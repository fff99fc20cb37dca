"""Whisper against `transformers`: tiny random checkpoints, saved by one and read by the other."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor
from transformers import WhisperFeatureExtractor as HFExtractor
from transformers import WhisperForConditionalGeneration as HFModel
from transformers import WhisperTokenizerFast
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)

from tests.parity.tiny_whisper import POSITIONS, RATE_HZ, VARIANTS, Saved, noise, save_theirs
from tutti import checkpoints
from tutti.content import Audio, TranscriptionOptions
from tutti.engine.longform import SpeechWriter
from tutti.engine.speech_rules import SpeechRules
from tutti.engine.speech_window import compression_ratio
from tutti.media import Limits, decode_audio
from tutti.processing.audio import LogMel

FIRM: dict[str, Any] = {
    "temperatures": (0.0,),
    "compression_ratio_threshold": None,
    "logprob_threshold": None,
    "no_speech_threshold": None,
}
"""Options under which the likeliest tokens are what is written down, whatever they are."""
Segments = list[tuple[float, float, tuple[int, ...]]]


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Saved:
    return save_theirs(tmp_path / "theirs", request.param)


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One that never says a time: what trained models do where none is asked for."""
    return silenced(save_theirs(tmp_path_factory.mktemp("whisper") / "theirs", {}))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("whisper") / "theirs", {})


def silenced(saved: Saved, *more: int) -> Saved:
    """Rule out all times, and more, as `generation_config.json` can."""
    generation = saved.model.generation_config
    generation.suppress_tokens += [*range(generation.no_timestamps_token_id, saved.model.config.vocab_size), *more]
    generation.save_pretrained(saved.folder)
    return saved


def features_of(saved: Saved, seconds: float, seed: int = 1) -> Tensor:
    """Log-mel as the reference's own example for recordings of any length makes it. Shape (1, M, F)."""
    made = saved.extractor(
        noise(seconds, seed), sampling_rate=RATE_HZ, truncation=False, padding="longest", return_tensors="pt"
    )
    return made.input_features


def padded_of(saved: Saved, seconds: float, seed: int = 1) -> Tensor:
    """Log-mel as the reference makes it of a recording that fits into a window. Shape (1, M, F)."""
    return saved.extractor(noise(seconds, seed), sampling_rate=RATE_HZ, return_tensors="pt").input_features


def inputs(saved: Saved) -> dict[str, Tensor]:
    ids = torch.randint(0, saved.model.config.vocab_size, (2, 11), generator=torch.Generator().manual_seed(0))
    windows = [padded_of(saved, seconds) for seconds in (0.7, 1.0)]
    return {"input_features": torch.cat(windows), "decoder_input_ids": ids}


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_what_they_save_computes_the_same_here(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    given = inputs(saved)
    ours, theirs = loaded.model(**given), saved.model(**given)
    close(ours.logits, theirs.logits)
    close(ours.encoder_last_hidden_state, theirs.encoder_last_hidden_state)
    states = list(loaded.model.model.encoder.states(given["input_features"]))
    expected = saved.model.model.encoder(given["input_features"], output_hidden_states=True).hidden_states
    for mine, its in zip(states[:-1], expected[:-1], strict=True):
        close(mine, its)
    # The windows are told apart, and so are the tokens.
    assert min(ours.logits.std(dim).max() for dim in (0, 1)) > 0.1
    tied = saved.model.config.tie_word_embeddings
    assert loaded.report.loaded == len(saved.model.state_dict()) - tied
    assert loaded.info.parameters == loaded.model.config.parameters()
    assert (loaded.info.family, loaded.info.tasks, loaded.info.context_length) == ("whisper", ("transcribe",), 96)


@torch.inference_mode()
def test_padding_of_texts_does_not_show(plain: Saved) -> None:
    given = inputs(plain)
    mask = torch.ones_like(given["decoder_input_ids"])
    mask[1, 7:] = 0
    ours = checkpoints.load(plain.folder).model(**given, decoder_attention_mask=mask).logits
    theirs = plain.model(**given, decoder_attention_mask=mask).logits
    close(ours[mask.bool()], theirs[mask.bool()])


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    checkpoints.save(loaded.model, tmp_path / "ours", config, {}, max_shard_bytes=50_000)
    theirs, info = HFModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    given = inputs(saved)
    # Equal to the bit: the same code on what must be the same weights.
    assert torch.equal(theirs.eval()(**given).logits, saved.model(**given).logits)


@torch.inference_mode()
def test_shards_and_half_precision_are_read(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "shards", {}, max_shard_size="50KB")
    assert len(list(saved.folder.glob("model-*.safetensors"))) > 2
    given = inputs(saved)
    close(checkpoints.load(saved.folder).model(**given).logits, saved.model(**given).logits)
    saved.model.half().save_pretrained(tmp_path / "half")
    for file in ("tokenizer.json", "preprocessor_config.json"):
        shutil.copy(saved.folder / file, tmp_path / "half")
    loaded = checkpoints.load(tmp_path / "half")
    assert loaded.report.cast == {"float16 → float32": loaded.report.loaded}
    close(loaded.model(**given).logits, saved.model.float()(**given).logits)


# Tokens and segments.


def theirs(saved: Saved, features: Tensor, **options: Any) -> Segments:
    """What the reference writes down, as start, end and tokens."""
    made = saved.model.generate(features, return_segments=True, **options)
    return [(float(one["start"]), float(one["end"]), tuple(one["tokens"].tolist())) for one in made["segments"][0]]


def ours(saved: Saved, features: Tensor, **options: Any) -> Segments:
    """What we write down, as start, end and tokens."""
    loaded = checkpoints.load(saved.folder)
    writer = SpeechWriter(loaded.model, loaded.processor.tokens, loaded.processor.frame_s)
    written = writer.write(features[0], TranscriptionOptions(**FIRM | options))
    return [(one.start_s, one.end_s, one.tokens) for one in written.segments]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_likeliest_64_tokens_are_the_same(language: str, tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "endless", VARIANTS["untied"])
    silenced(saved, saved.model.generation_config.eos_token_id)
    features = padded_of(saved, 0.8)
    expected = theirs(saved, features, language=language, task="transcribe", max_new_tokens=64)
    found = ours(saved, features, language=language, task="transcribe", timestamps="none")
    tokens = [token for _, _, some in expected for token in some]
    assert len(tokens) == 64
    assert len(set(tokens)) > 10, "a model that repeats itself would prove little"
    assert [token for _, _, some in found for token in some][:64] == tokens


@pytest.mark.parametrize("condition", [False, True], ids=["each by itself", "with what was said"])
@pytest.mark.parametrize("seed", [1, 2])
def test_segments_of_long_recordings_are_the_same(plain: Saved, seed: int, condition: bool) -> None:
    features = features_of(plain, 3.37, seed)
    expected = theirs(
        plain, features, return_timestamps=True, language="fr", task="translate", condition_on_prev_tokens=condition
    )
    found = ours(plain, features, language="french", task="translate", condition_on_previous_text=condition)
    assert found == expected
    assert len({end for _, end, _ in expected}) > 3


@pytest.mark.parametrize("name", ["English only", "large-v3", "turbo", "untied"])
def test_segments_of_other_checkpoints_are_the_same(name: str, tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "theirs", VARIANTS[name], seed=3)
    many = {"language": "de", "task": "transcribe"} if name != "English only" else {}
    features = features_of(saved, 2.61)
    expected = theirs(saved, features, return_timestamps=True, condition_on_prev_tokens=True, **many)
    assert ours(saved, features, condition_on_previous_text=True, **many) == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_segments_of_short_recordings_are_the_same(plain: Saved, wordy: Saved, seed: int) -> None:
    features = padded_of(plain, 0.6, seed)
    expected = theirs(plain, features, return_timestamps=True, language="en", task="transcribe")
    assert ours(plain, features, language="en") == expected
    expected = theirs(wordy, features, language="en", task="transcribe")
    assert ours(wordy, features, language="en", timestamps="none") == expected


def test_english_checkpoints_write_down_the_same(tmp_path: Path) -> None:
    english = save_theirs(tmp_path / "english", VARIANTS["English only"])
    features = padded_of(english, 0.6)
    assert ours(english, features) == theirs(english, features, return_timestamps=True)
    silenced(english)
    assert ours(english, features, language="en", timestamps="none") == theirs(english, features)


def test_the_language_that_is_told_is_the_same(tmp_path: Path) -> None:
    told = set()
    for seed in (0, 2):
        saved = save_theirs(tmp_path / f"theirs{seed}", {}, seed=seed)
        features = features_of(saved, 1.2, seed)
        expected = saved.model.detect_language(features, num_segment_frames=2 * POSITIONS)
        loaded = checkpoints.load(saved.folder)
        writer = SpeechWriter(loaded.model, loaded.processor.tokens, loaded.processor.frame_s)
        written = writer.write(features[0], TranscriptionOptions(**FIRM))
        assert written.language is not None
        assert loaded.processor.tokens.languages[written.language] == int(expected)
        found = [(one.start_s, one.end_s, one.tokens) for one in written.segments]
        assert found == theirs(saved, features, return_timestamps=True, task="transcribe")
        told.add(written.language)
    assert len(told) > 1


def test_forced_tokens_choose_language_and_task(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "forced")
    values = json.loads((folder / "generation_config.json").read_text())
    languages, tasks = values["lang_to_id"], values["task_to_id"]
    values["forced_decoder_ids"] = [[1, languages["<|de|>"]], [2, tasks["translate"]]]
    (folder / "generation_config.json").write_text(json.dumps(values))
    forced = plain._replace(folder=folder, model=HFModel.from_pretrained(folder).eval())
    features = features_of(forced, 1.7)
    expected = theirs(forced, features, return_timestamps=True)
    assert ours(forced, features) == expected
    assert expected != theirs(plain, features, return_timestamps=True, language="en", task="transcribe")


@torch.inference_mode()
def test_windows_without_speech_are_left_out_alike(plain: Saved) -> None:
    features = features_of(plain, 2.3)
    same = {"language": "en", "task": "transcribe"}
    tokens = checkpoints.load(plain.folder).processor.tokens
    start = torch.tensor([tokens.prompt("en", "transcribe", timestamps=True)])
    first = plain.model(features[..., : 2 * POSITIONS], decoder_input_ids=start).logits[0, 0]
    silence = float(first.softmax(dim=-1)[tokens.no_speech])
    # Below a log-probability of 0 is every window; whether the first one is silent is then for the other threshold.
    found = []
    for threshold in (silence * 0.999, silence * 1.001):
        limits = {"no_speech_threshold": threshold, "logprob_threshold": 0.0}
        expected = theirs(plain, features, return_timestamps=True, temperature=(0.0,), **limits, **same)
        found.append(ours(plain, features, **limits, **same))
        assert found[-1] == expected
    assert found[0] != found[1]


@torch.inference_mode()
def test_the_measures_of_belief_are_the_same(wordy: Saved) -> None:
    random = np.random.default_rng(0)
    for tokens in ([5, 5, 5, 5, 5, 5, 5, 5], random.integers(0, 300, 60).tolist(), [7]):
        for vocabulary in (300, 51_865, 70_000):
            expected = HFModel._retrieve_compression_ratio(torch.tensor(tokens), vocabulary)
            assert compression_ratio(tokens, vocabulary) == expected
    features = padded_of(wordy, 0.6)
    same = {"language": "en", "task": "transcribe"}
    made = wordy.model.generate(features, output_scores=True, return_dict_in_generate=True, **same)
    mean = float(HFModel._retrieve_avg_logprobs([row[0] for row in made.scores], made.sequences[0], 0.0))
    firm = ours(wordy, features, timestamps="none", **same)
    # Just above the threshold a window is believed, just below it is written down again.
    for shift, believed in ((-1e-3, True), (1e-3, False)):
        options = {"logprob_threshold": mean + shift, "temperatures": (0.0, 0.9), "timestamps": "none"}
        assert (ours(wordy, features, **options, **same) == firm) == believed


def test_the_rules_rule_out_the_same(plain: Saved) -> None:
    tokens = checkpoints.load(plain.folder).processor.tokens
    config = plain.model.generation_config
    size, begin = plain.model.config.vocab_size, tokens.timestamp_begin
    random = np.random.default_rng(0)
    for _ in range(300):
        said = random.integers(3, 200, random.integers(0, 6))
        timed = random.random(len(said)) < 0.5
        said[timed] = np.sort(random.integers(begin, size, len(said)))[timed]
        logits = torch.from_numpy(random.normal(0, 2, size).astype(np.float32))
        ids, scores = torch.tensor([[tokens.start, *said.tolist()]]), logits[None]
        for process in (
            SuppressTokensAtBeginLogitsProcessor(config.begin_suppress_tokens, begin_index=1),
            SuppressTokensLogitsProcessor(config.suppress_tokens),
            WhisperTimeStampLogitsProcessor(config, begin_index=1),
        ):
            scores = process(ids, scores)
        torch.testing.assert_close(SpeechRules(tokens, timestamps=True)(logits, said.tolist()), scores[0])


# Preprocessing.


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_log_mel_is_the_same_at_every_rate(bins: int, channels: int, rate_hz: int) -> None:
    times = np.arange(0, 0.9, 1 / rate_hz)
    clip = np.stack([np.interp(times, np.arange(RATE_HZ) / RATE_HZ, noise(1, seed)) for seed in range(channels)], 1)
    content = io.BytesIO()
    soundfile.write(content, clip, rate_hz, format="WAV", subtype="FLOAT")
    samples = decode_audio(Audio(content.getvalue()), Limits()).resampled(RATE_HZ).samples
    assert len(samples) == pytest.approx(0.9 * RATE_HZ, abs=2)
    extractor, mel = HFExtractor(bins, chunk_length=1), LogMel(feature_size=bins, chunk_length=1)
    expected = extractor(samples, sampling_rate=RATE_HZ, return_tensors="np").input_features[0]
    np.testing.assert_allclose(mel(samples), expected, atol=1e-4)
    long = np.tile(samples, 3)
    expected = extractor(long, sampling_rate=RATE_HZ, truncation=False, padding="longest").input_features[0]
    np.testing.assert_allclose(mel.whole(long), expected, atol=1e-4)


def test_text_is_the_same(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    reference = WhisperTokenizerFast(tokenizer_file=str(plain.folder / "tokenizer.json"))
    begin, end = processor.tokens.timestamp_begin, processor.tokens.end
    the, dog = (processor.tokenizer.token_id(word) for word in ("the", "Ġdog"))
    ids = [processor.tokens.start, begin, dog, the, begin + 3, begin + 3, dog, begin + 9, end]
    assert processor.text(ids) == reference.decode(ids, skip_special_tokens=True) == " dogthe dog"
