"""Wav2Vec2 against `transformers`: tiny random checkpoints, saved by one and read by the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Wav2Vec2Config as HFConfig
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor
from transformers import Wav2Vec2ForCTC as HFModel

from tutti import checkpoints
from tutti.engine.ctc import spell

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLU'"]
LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
VARIANTS: dict[str, dict[str, Any]] = {
    # facebook/wav2vec2-base-960h, -base-100h, -large-960h.
    "group norm": {},
    # facebook/wav2vec2-large-960h-lv60, -lv60-self, -large-xlsr-53-*, jonatasgrosman/wav2vec2-large-xlsr-53-*.
    "layer norms first": LARGE,
    # facebook/wav2vec2-large-xlsr-53-*: 44 letters and more, no hidden frames in fine-tuning.
    "other letters": {**LARGE, "mask_time_prob": 0.0},
    "layer norm, biased, norms after": {"feat_extract_norm": "layer", "conv_bias": True},
    "group norm, norms first": {"do_stable_layer_norm": True},
    "odd positions": {"num_conv_pos_embeddings": 9, "num_conv_pos_embedding_groups": 3, "layer_norm_eps": 1e-3},
    "more convolutions": {"conv_dim": (8, 6, 10, 7), "conv_kernel": (10, 3, 3, 2), "conv_stride": (5, 2, 2, 2)},
}


class Saved(NamedTuple):
    """What `transformers` saved, and where."""

    model: HFModel
    processor: Wav2Vec2Processor
    folder: Path


def save_theirs(folder: Path, variant: dict[str, Any], normalize: bool = True, **options: Any) -> Saved:
    sizes = {
        "vocab_size": len(LETTERS),
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 40,
        "conv_dim": (8, 10, 12),
        "conv_kernel": (10, 3, 2),
        "conv_stride": (5, 2, 2),
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
    }
    torch.manual_seed(0)
    model = HFModel(HFConfig(**sizes | variant)).eval()
    for name, parameter in model.named_parameters():
        # Large enough that every weight matters: the reference's own first values hardly do.
        torch.nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")), std=0.25)
    with torch.inference_mode():
        # Around nought, so that letters change from frame to frame.
        hidden = model.wav2vec2(torch.from_numpy(noise(5_000))[None]).last_hidden_state[0]
        model.lm_head.weight /= hidden.std(dim=0).mean()
        model.lm_head.bias.copy_(-model.lm_head.weight @ hidden.mean(dim=0))
    model.save_pretrained(folder, **options)
    (folder / "vocab.json").write_text(json.dumps({letter: index for index, letter in enumerate(LETTERS)}))
    masked = variant.get("feat_extract_norm") == "layer"
    processor = Wav2Vec2Processor(
        Wav2Vec2FeatureExtractor(do_normalize=normalize, return_attention_mask=masked),
        Wav2Vec2CTCTokenizer(folder / "vocab.json"),
    )
    processor.save_pretrained(folder)
    return Saved(model, processor, folder)


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Saved:
    return save_theirs(tmp_path / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("wav2vec2") / "theirs", {})


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.uniform(0.01, 0.3, -(-samples // 500)), 500)[:samples]
    return (random.normal(0, 1, samples) * loudness + 0.02).clip(-1, 1).astype(np.float32)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_what_they_save_computes_the_same_here(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    batch = saved.processor([noise(3_000, 1), noise(2_345, 2)], sampling_rate=16_000, padding=True, return_tensors="pt")
    # Models with a group norm are given no mask: their padding is heard, as in training.
    assert ("attention_mask" in batch) == (saved.model.config.feat_extract_norm == "layer")
    ours, theirs = loaded.model(**batch), saved.model(**batch, output_hidden_states=True)
    close(ours.logits, theirs.logits)
    trunk, expected = loaded.model.wav2vec2(**batch), saved.model.wav2vec2(**batch)
    close(trunk.last_hidden_state, expected.last_hidden_state)
    close(trunk.extract_features, expected.extract_features)
    for mine, its in zip(loaded.model.wav2vec2.states(**batch), theirs.hidden_states, strict=True):
        close(mine, its)
    assert ours.logits.std(dim=1).max() > 0.1
    hidden = "wav2vec2.masked_spec_embed" in saved.model.state_dict()
    assert loaded.report.ignored == (("wav2vec2.masked_spec_embed",) if hidden else ())
    assert loaded.report.loaded == len(saved.model.state_dict()) - hidden
    assert sum(weight.numel() for weight in loaded.model.parameters()) == loaded.model.config.parameters()
    assert (loaded.info.family, loaded.info.tasks, loaded.info.context_length) == ("wav2vec2", ("transcribe",), None)


@torch.inference_mode()
def test_a_mask_works_for_every_variant(saved: Saved) -> None:
    values = torch.from_numpy(np.stack([noise(2_000, 1), noise(2_000, 2)]))
    mask = torch.ones(2, 2_000, dtype=torch.int64)
    mask[1, 1_100:] = 0
    close(checkpoints.load(saved.folder).model(values, mask).logits, saved.model(values, attention_mask=mask).logits)


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    checkpoints.save(loaded.model, tmp_path / "ours", config, {}, max_shard_bytes=20_000)
    theirs, info = HFModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    # What only training needs is drawn anew, as it is for facebook/wav2vec2-base-960h itself.
    assert set(info.pop("missing_keys")) <= {"wav2vec2.masked_spec_embed"}
    assert not any(info.values())
    values = torch.from_numpy(noise(2_000))[None]
    assert torch.equal(theirs.eval()(values).logits, saved.model(values).logits)


@torch.inference_mode()
def test_both_names_of_the_weights_for_positions_are_read(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "older")
    weights = load_file(folder / "model.safetensors")
    place = "wav2vec2.encoder.pos_conv_embed.conv"
    for newer, older in (
        ("parametrizations.weight.original0", "weight_g"),
        ("parametrizations.weight.original1", "weight_v"),
    ):
        weights[f"{place}.{older}"] = weights.pop(f"{place}.{newer}")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    values = torch.from_numpy(noise(2_000))[None]
    close(checkpoints.load(folder).model(values).logits, plain.model(values).logits)


@torch.inference_mode()
def test_shards_are_read(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "shards", {}, max_shard_size="20KB")
    assert len(list(saved.folder.glob("model-*.safetensors"))) > 2
    values = torch.from_numpy(noise(2_000))[None]
    close(checkpoints.load(saved.folder).model(values).logits, saved.model(values).logits)


@torch.inference_mode()
def test_transcripts_and_the_times_of_words_are_the_same(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    for seed in range(3):
        samples = noise(9_000, seed)
        given = saved.processor(samples, sampling_rate=16_000, return_tensors="pt").input_values
        best = saved.model(given).logits.argmax(-1)[0]
        expected = saved.processor.tokenizer.decode(best, output_word_offsets=True)
        ids = spell(loaded.model, torch.from_numpy(loaded.processor.sounds(samples)))
        text, words = loaded.processor.vocabulary.decode(ids)
        assert ids == best.tolist()
        assert text == expected.text == saved.processor.batch_decode(best[None])[0]
        assert [word._asdict() for word in words] == [
            {"text": one["word"], "start": one["start_offset"], "stop": one["end_offset"]}
            for one in expected.word_offsets
        ]
        assert len(text) > 5


@pytest.mark.parametrize("normalize", [True, False])
def test_samples_are_the_same(normalize: bool, tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "theirs", {}, normalize)
    processor = checkpoints.load(saved.folder).processor
    for samples in (noise(5_000), np.zeros(400, np.float32), np.ones(1, np.float32)):
        expected = saved.processor(samples, sampling_rate=16_000, return_tensors="np").input_values[0]
        np.testing.assert_allclose(processor.sounds(samples), expected, atol=1e-4)
