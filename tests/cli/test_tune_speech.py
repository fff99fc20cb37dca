"""`tutti tune` on transcripts: the reference's loss, word errors before and after, and the adapter in use."""

from __future__ import annotations

import csv
import json
import re
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity import tiny_whisper
from tutti import checkpoints
from tutti.cli.main import main
from tutti.content import Audio, Message, Text
from tutti.errors import InputError
from tutti.media import Limits, decode_audio
from tutti.training.data import Dialogue
from tutti.training.lesson_batches import collate
from tutti.training.tuning import prepare_tuning
from tutti.training.tuning_files import TuningFile
from tutti.training.tuning_objectives import AnswerLoss
from tutti.training.tuning_options import TuningOptions

RATE_HZ = tiny_whisper.RATE_HZ
SAID = {300: "the dog", 900: "a dog", 2000: "the deux un"}
"""Pitch of a tone in hertz → what is said."""


def tone(pitch: int, seconds: float, seed: int) -> np.ndarray:
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.003, len(times))
    loudness = np.where(np.sin(2 * np.pi * 6 * times) > 0, 0.6, 0.05)  # what is steady would not count as speech
    return (loudness * np.sin(2 * np.pi * pitch * times) + noise).astype(np.float32)


def write(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tiny_whisper.Saved:
    saved = tiny_whisper.save_theirs(tmp_path_factory.mktemp("whisper") / "tiny", {})
    settings = saved.folder / "generation_config.json"
    changed = {**json.loads(settings.read_text()), "max_initial_timestamp_index": 0}  # nobody has taught it to begin
    settings.write_text(json.dumps(changed))
    return saved


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    with (folder / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["audio", "text"])
        for number in range(18):
            pitch = list(SAID)[number % 3]
            write(folder / f"{number}.wav", tone(pitch, 0.5 + 0.02 * number, number))
            rows.writerow([f"{number}.wav", SAID[pitch]])
    return folder / "table.csv"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))


def prepared(folder: Path, options: TuningOptions) -> Any:
    loaded = checkpoints.load(folder)
    processor: Any = loaded.processor
    loaded = replace(loaded, processor=processor.speaking("fr"))
    rows = [
        Dialogue(
            key=f"{pitch}",
            messages=(Message("user", (Audio(tone(pitch, 0.6, pitch), sample_rate_hz=RATE_HZ), Text("Ignored."))),
                      Message("assistant", (Text(words),))),
            where=f"{pitch}",
        )
        for pitch, words in SAID.items()
    ]  # fmt: skip
    file = TuningFile(name="rows", kind="messages", digest="0", rows=tuple(rows), bad=())

    def read(part: Any) -> Any:
        return loaded.processor.prepare("audio", decode_audio(part, Limits()).samples)

    return loaded, prepare_tuning(loaded, file, options, read)


def test_the_loss_and_what_is_learned_are_the_references(model: tiny_whisper.Saved) -> None:
    loaded, made = prepared(model.folder, TuningOptions(held_out=0.0, batch=3))
    batch = collate(made.source.items)
    tokens, text = loaded.processor.tokens, loaded.processor.tokenizer
    for lesson in batch.lessons:
        first = [tokens.start, tokens.languages["fr"], tokens.tasks["transcribe"], tokens.timestamp_begin]
        assert lesson.ids[:4].tolist() == first
        assert lesson.ids[-2] - tokens.timestamp_begin == pytest.approx(0.6 / 0.02, abs=2)
        words = lesson.ids[lesson.said].tolist()
        assert words[-2:] == lesson.ids[-2:].tolist() and words[-1] == tokens.end
        assert text.decode(words[:-2]).strip() in SAID.values()
    ours = AnswerLoss(made.media)(loaded.model, batch)["loss"]
    arrays = [made.media._arrays(lesson.places[0].digest).arrays for lesson in batch.lessons]
    features = torch.stack([torch.from_numpy(one["input_features"]) for one in arrays])
    with torch.no_grad():
        theirs = model.model(
            input_features=features, decoder_input_ids=torch.from_numpy(batch.input_ids),
            labels=torch.from_numpy(batch.labels),
        ).loss  # fmt: skip
    assert float(ours.detach()) == pytest.approx(float(theirs), abs=1e-4)
    assert made.media.encodings == 3, "the encoder stands still and is run once a recording"
    ours.backward()
    learned = [name for name, value in loaded.model.named_parameters() if value.grad is not None]
    assert learned and all(".lora_" in name and name.startswith("model.decoder.layers.") for name in learned)
    assert any("encoder_attn.k_proj" in name for name in learned)


def test_the_encoder_can_be_trained_too(model: tiny_whisper.Saved) -> None:
    loaded, made = prepared(model.folder, TuningOptions(how="parts", parts=("trunks", "decoder"), held_out=0.0))
    assert made.media.moves
    AnswerLoss(made.media)(loaded.model, collate(made.source.items))["loss"].backward()
    assert loaded.model.model.encoder.conv1.weight.grad is not None
    with pytest.raises(InputError, match="'connector'; models of family whisper have decoder, trunks"):
        prepared(model.folder, TuningOptions(how="parts", parts=("connector",)))


def test_an_adapter_is_made_measured_used_and_merged(
    model: tiny_whisper.Saved, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has taught weights of chance to write times: so it is the loss that tells, and that other words come."""
    run = tmp_path / "run"
    words = ["tune", model.folder, "--data", table, "--out", run, "--language", "french", "--epochs", 10, "--rank", 8,
             "--rate", "2e-2", "--batch", 5, "--held-out", 0.1, "--validate-every", 30, "--json"]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert result["use"] == f"tutti transcribe recording.wav --model {model.folder} --adapter {run}"
    learned, held_out = (
        [float(one) for one in re.findall(rf"{name} ([0-9.]+)", told.err)]
        for name in ("answers/loss", "validation/loss")
    )
    assert min(held_out) < 0.6 * learned[0]
    assert "validation/score" in result["figures"] and "1 - wer on 2 held-out rows" in (run / "README.md").read_text()
    new = tmp_path / "new.wav"
    write(new, tone(900, 0.7, 99))
    ask = ["transcribe", str(new), "--language", "fr", "--text", "--model"]

    def heard(*more: str) -> str:
        assert main([*ask, *more]) == 0
        return capsys.readouterr().out.strip()

    tuned = heard(str(model.folder), "--adapter", str(run))
    assert tuned != heard(str(model.folder))
    assert main(["merge", str(model.folder), "--adapter", str(run), "--into", str(tmp_path / "merged")]) == 0
    capsys.readouterr()
    assert heard(str(tmp_path / "merged")) == tuned


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--objective", "dpo"], "learn transcripts only"),
        (["--language", "klingon"], "klingon"),
        (["--parts", "connector"], "have decoder, trunks"),
    ],
)
def test_what_it_cannot_learn_is_said(
    model: tiny_whisper.Saved,
    table: Path,
    tmp_path: Path,
    more: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["tune", str(model.folder), "--data", str(table), "--out", str(tmp_path / "run"), *more]) == 2
    assert said in capsys.readouterr().err


def test_recordings_that_are_too_long_and_rows_without_one_are_told(
    model: tiny_whisper.Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "long.wav", tone(300, 1.5, 0))
    write(tmp_path / "short.wav", tone(300, 0.5, 0))
    (tmp_path / "rows.csv").write_text("audio,text\nlong.wav,the dog\n,a dog\nlong.wav,\nshort.wav,the dog\n")
    assert main(["tune", str(model.folder), "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "run")]) == 2
    found = capsys.readouterr().err
    assert "line 2: The recording lasts" in found and "cut it into pieces" in found
    assert "line 3: Speech is learned from one recording" in found
    assert "line 4: 'text' is" in found and "3 rows of" in found
