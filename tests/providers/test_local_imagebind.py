"""An ImageBind checkpoint behind the face of all models: six modalities in one space."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as pillow

from tests.models import bind
from tutti import checkpoints
from tutti.cli.main import main
from tutti.content import Audio, Depth, Image, Media, Motion, Thermal, Video
from tutti.errors import CapacityError, InputError, UnsupportedTask
from tutti.model import Model, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bind.save(tmp_path_factory.mktemp("imagebind") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load(folder)


def media(seed: int) -> list[Media]:
    random = np.random.default_rng(seed)
    frames = random.integers(0, 256, (9, 20, 31, 3), dtype=np.uint8)
    motion = random.normal(size=(40, 6)).astype(np.float32)
    return [
        Image(frames[0]),
        Video(frames, frames_per_s=6),
        Audio(random.uniform(-0.5, 0.5, 9600).astype(np.float32), sample_rate_hz=8000),
        Depth(random.uniform(0, 6, (24, 30)).astype(np.float32)),
        Thermal(random.uniform(280, 310, (30, 24)).astype(np.float32)),
        Motion(motion, sample_rate_hz=10),
    ]


def test_every_modality_is_placed_and_told_apart(model: Model) -> None:
    vectors = model.embed(["a dog", *media(1), *media(2)])
    assert vectors.shape == (13, 12)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (np.abs(vectors[1:7] - vectors[7:]).max(axis=1) > 1e-3).all()


def test_alone_or_together_is_the_same(model: Model) -> None:
    items = [*media(1), *media(2)]
    alone = np.concatenate([model.embed([item]) for item in items])
    np.testing.assert_allclose(model.embed(items), alone, atol=1e-5)


@torch.inference_mode()
def test_vectors_are_those_of_the_model(model: Model, folder: Path) -> None:
    loaded = checkpoints.load(folder)
    motion = media(1)[5].source
    inputs = torch.from_numpy(motion.T.copy())[None]
    expected = loaded.model(imu_values=inputs).imu[0]
    np.testing.assert_allclose(model.embed([media(1)[5]])[0], expected / expected.norm(), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("place", [0, 3, 4, 5])
def test_classify_gives_the_numbers_of_the_reference(model: Model, folder: Path, place: int) -> None:
    """softmax(media @ texts) of the model's own outputs, which hold the temperatures of both trunks."""
    medium = media(1)[place]
    scores = model.classify(medium, ["a dog", "a car"])
    loaded = checkpoints.load(folder)
    space = loaded.model.eval()
    texts = space(torch.from_numpy(loaded.processor.texts(["a dog", "a car"])["input_ids"])).text
    factor = {0: 1.0, 3: 5.0, 4: 10.0, 5: 5.0}[place]
    point = torch.from_numpy(model.embed([medium])[0]) * factor
    expected = torch.softmax(texts @ point, 0)
    assert scores["a dog"] == pytest.approx(float(expected[0]), rel=1e-3)


def test_meanings_add_up_in_the_space(model: Model) -> None:
    picture, _, sound, *_ = model.embed(media(1))
    both = (picture + sound) / np.linalg.norm(picture + sound)
    gallery = model.embed(media(2) + media(1))
    nearest = np.argsort(-(gallery @ both))[:2]
    assert set(nearest) == {6, 8}  # the picture and the sound that were added


def test_files_of_sensors_are_read(model: Model, tmp_path: Path) -> None:
    _, _, _, depth, thermal, motion = media(3)
    millimetres = np.round(depth.source * 1000).astype(np.uint16)
    centikelvin = np.round(thermal.source * 100).astype(np.uint16)
    files = []
    for name, values in (("depth", millimetres), ("thermal", centikelvin)):
        content = io.BytesIO()
        pillow.fromarray(values).save(content, "PNG")
        files.append(tmp_path / f"{name}.png")
        files[-1].write_bytes(content.getvalue())
    np.savetxt(tmp_path / "motion.csv", motion.source, delimiter=",", header="ax,ay,az,gx,gy,gz", comments="")
    read = model.embed([Depth(files[0]), Thermal(files[1]), Motion(tmp_path / "motion.csv")])
    np.testing.assert_allclose(read, model.embed([depth, thermal, motion]), atol=0.02)


def test_motion_of_another_rate_or_length(model: Model) -> None:
    slow = np.linspace(0, 1, 20, dtype=np.float32)[:, None].repeat(6, axis=1)
    fast = np.linspace(0, 1, 400, dtype=np.float32)[:, None].repeat(6, axis=1)
    one, other = model.embed([Motion(slow, sample_rate_hz=5), Motion(fast, sample_rate_hz=100)])
    np.testing.assert_allclose(one, other, atol=1e-4)
    with pytest.raises(InputError, match="There are 20 readings; without their rate this model takes 40: set"):
        model.embed([Motion(slow)])
    with pytest.raises(CapacityError, match=r"last 40\.00 s; this model takes 4 s at a time: cut them"):
        model.embed([Motion(fast, sample_rate_hz=10)])
    with pytest.raises(InputError, match=r"last 2\.00 s; this model needs 4 s: record longer"):
        model.embed([Motion(slow, sample_rate_hz=10)])


def test_a_recording_stays_as_it_was(model: Model) -> None:
    samples = np.full(16_000, 0.25, np.float32)
    samples[::7] = -0.5
    before = samples.copy()
    model.embed([Audio(samples, sample_rate_hz=16_000)])
    np.testing.assert_array_equal(samples, before)


def test_what_it_cannot_do_is_said(model: Model) -> None:
    with pytest.raises(UnsupportedTask, match="does not answer questions; tutti-mini does"):
        model.ask("What is this?", media(1)[0])
    with pytest.raises(InputError, match="The recording has 160 samples; expected 400 or more, which is 25 ms"):
        model.embed([Audio(np.zeros(160, np.float32), sample_rate_hz=16_000)])
    with pytest.raises(CapacityError, match="takes 7 tokens; this model embeds at most 6 at a time"):
        model.embed(["a dog a dog a dog a"])


def test_a_checkpoint_without_a_tokenizer_reads_no_text(tmp_path: Path) -> None:
    folder = bind.save(tmp_path / "mute")
    (folder / "tokenizer.json").unlink()
    mute = load(folder)
    assert mute.embed([media(1)[0]]).shape == (1, 12)
    with pytest.raises(UnsupportedTask, match=r"has no tokenizer\.json and so reads no text; copy that of a CLIP"):
        mute.embed(["a dog"])


def test_the_shell_takes_readings_of_sensors(
    folder: Path, model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readings = np.random.default_rng(5).normal(size=(20, 6)).astype(np.float32)
    np.savetxt(tmp_path / "walk.csv", readings, delimiter=",")
    assert main(["embed", f"motion@5:{tmp_path / 'walk.csv'}", "a dog", "--model", str(folder), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["modality"] for line in lines] == ["motion", "text"]
    expected = model.embed([Motion(tmp_path / "walk.csv", sample_rate_hz=5)])[0]
    np.testing.assert_allclose(lines[0]["vector"], expected, atol=1e-5)
    classify = ["classify", f"motion@5:{tmp_path / 'walk.csv'}", "--labels", "a dog,a car", "--model", str(folder)]
    assert main(classify) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    for words, sentence in {
        f"motion@0:{tmp_path / 'walk.csv'}": "motion@0 is no rate; expected readings a second",
        "depth:none.png": "none.png: no such file; give the path of readings, as in depth:room.png",
    }.items():
        assert main(["embed", words, "--model", str(folder)]) == 2
        assert sentence in capsys.readouterr().err
