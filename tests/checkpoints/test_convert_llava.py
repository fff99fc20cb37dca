"""LLaVA-1.5 as its authors publish it to the Hugging Face layout, against `transformers` on equal weights."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import CLIPConfig as HFCLIPConfig
from transformers import CLIPModel as HFCLIPModel
from transformers import LlavaConfig as HFConfig
from transformers import LlavaForConditionalGeneration as HFModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.parity import written
from tests.parity.written import close, noise
from tutti import checkpoints
from tutti.cli.main import main
from tutti.errors import CheckpointError, InputError, UnsafeCheckpoint, UnsupportedConfig
from tutti.model import load

WORDS = written.tokenizer(["<s>", "</s>"], "")
AUTHORS: dict[str, Any] = {
    # Every key of liuhaotian/llava-v1.5-7b; the sizes are small.
    "_name_or_path": "llava-v1.5-7b", "architectures": ["LlavaLlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2,
    "freeze_mm_mlp_adapter": False, "freeze_mm_vision_resampler": False, "hidden_act": "silu", "hidden_size": 32,
    "image_aspect_ratio": "pad", "initializer_range": 0.02, "intermediate_size": 48, "max_length": 4096,
    "max_position_embeddings": 512, "mm_hidden_size": 24, "mm_projector_type": "mlp2x_gelu", "mm_resampler_type": None,
    "mm_use_im_patch_token": False, "mm_use_im_start_end": False, "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2, "mm_vision_tower": "openai/clip-vit-large-patch14-336", "model_type": "llava",
    "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 4, "pad_token_id": 0, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_scaling": None, "tie_word_embeddings": False, "torch_dtype": "float16",
    "transformers_version": "4.31.0", "tune_mm_mlp_adapter": False, "tune_mm_vision_resampler": False,
    "unfreeze_mm_vision_tower": False, "use_cache": True, "use_mm_proj": True, "vocab_size": len(WORDS),
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 28,
    "patch_size": 7, "projection_dim": 16,
}  # fmt: skip
SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}
TOWER = {"vision_config": VISION, "text_config": SMALL, "projection_dim": 16}


class Published(NamedTuple):
    """A folder as the authors publish it, that of its tower, and the same model in `transformers`."""

    folder: Path
    tower: Path
    theirs: HFModel


def authors_name(name: str) -> str:
    """The authors' name of a weight of the reference (version 5: `model.language_model.…`)."""
    for ours, its in (
        ("model.multi_modal_projector.linear_1.", "model.mm_projector.0."),
        ("model.multi_modal_projector.linear_2.", "model.mm_projector.2."),
        ("model.language_model.", "model."),
    ):
        if name.startswith(ours):
            return its + name.removeprefix(ours)
    return name


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    place = tmp_path_factory.mktemp("llava")
    tower = HFCLIPModel(HFCLIPConfig(**TOWER)).eval()
    written.draw(tower)
    tower.save_pretrained(place / "tower")
    images = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    images.save_pretrained(place / "tower")
    kept = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    text = {
        "model_type": "llama",
        "rms_norm_eps": 1e-5,
        "vocab_size": len(WORDS),
        **{key: AUTHORS[key] for key in kept},
    }
    # The reference looks the placeholder up, so there its table has a row more.
    config = HFConfig(
        text_config=text | {"vocab_size": len(WORDS) + 1}, vision_config=VISION, image_token_index=len(WORDS)
    )
    theirs = HFModel(config).eval()
    written.draw(theirs)
    state = tower.state_dict()
    seen = {key: value for key, value in state.items() if key.startswith("vision_model.")}
    prefix = "model.vision_tower."
    own = theirs.state_dict()
    for key in [key for key in own if key.startswith(prefix)]:
        bare = key.removeprefix(prefix).removeprefix("vision_model.")
        own[key].copy_(seen[f"vision_model.{bare}"])
    folder = place / "llava-v1.5-tiny"
    folder.mkdir()
    weights = {
        authors_name(key): value[: len(WORDS)].clone() if value.shape[:1] == (len(WORDS) + 1,) else value.clone()
        for key, value in own.items()
        if not key.startswith(prefix)
    }
    names = sorted(weights)
    files = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    torch.save({key: weights[key] for key in names[:7]}, folder / files[0])
    torch.save({key: weights[key] for key in names[7:]}, folder / files[1])
    index = {key: files[place >= 7] for place, key in enumerate(names)}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (folder / "config.json").write_text(json.dumps(AUTHORS))
    WORDS.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return Published(folder, place / "tower", theirs)


@pytest.fixture(scope="module")
def converted(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("ours") / "llava"
    arguments = ["convert", str(published.folder), "--vision-tower", str(published.tower), "--into", str(into)]
    assert main(arguments) == 0
    return into


@torch.inference_mode()
def test_logits_equal_those_of_transformers(published: Published, converted: Path) -> None:
    loaded = checkpoints.load(converted)
    places = loaded.model.config.tower_tokens
    assert places == 16
    ids = torch.tensor([[5, 9, *[len(WORDS)] * places, 7, 30, 12, 2]])
    pixels = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    ours = loaded.model(input_ids=ids, pixel_values=pixels).logits
    theirs = published.theirs(input_ids=ids, pixel_values=pixels).logits[..., : len(WORDS)]
    close(ours, theirs)
    assert theirs.std() > 0.1
    without = published.theirs(input_ids=ids, pixel_values=torch.zeros_like(pixels)).logits[..., : len(WORDS)]
    assert (without - theirs).abs().max() > 0.01  # the picture matters


@torch.inference_mode()
def test_a_conversation_is_written_as_the_authors_do(published: Published, converted: Path) -> None:
    processor = checkpoints.load(converted).processor
    picture = processor.picture(noise(28, 28))
    turns: Any = [("user", [picture, "What is it?"]), ("assistant", ["A dog."]), ("user", ["Where?"])]
    ids = processor.prompt(turns).input_ids
    system = (
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions."
    )
    tokenizer = processor.tokenizer
    expected = (
        tokenizer.encode(f"{system} USER: ", add_special=True)
        + [len(WORDS)] * 16
        + tokenizer.encode("\nWhat is it? ASSISTANT: A dog.")
        + [tokenizer.token_id("</s>")]
        + tokenizer.encode("USER: Where? ASSISTANT:")
    )
    assert ids.tolist() == expected
    answer = load(converted).ask("What is it?", noise(40, 28), max_tokens=3)
    assert answer.usage.media_tokens == 16


def test_pictures_become_squares_as_the_authors_pad_them(published: Published, converted: Path, tmp_path: Path) -> None:
    images = checkpoints.load(converted).processor.images
    assert (images.do_pad, images.pad_color, images.side) == (True, (122, 116, 104), 28)
    pixels = images(np.zeros((7, 28, 3), np.uint8))
    mean, std = (np.array(values) for values in (images.image_mean, images.image_std))
    filled = (np.array(images.pad_color) / 255 - mean) / std
    assert np.allclose(pixels[:, 0, 0], filled, atol=1e-3)
    assert np.allclose(pixels[:, 14, 14], -mean / std, atol=1e-3)
    square = rewritten(published, tmp_path, image_aspect_ratio="square")
    checkpoints.convert(square, tmp_path / "ours", vision_tower=published.tower)
    images = checkpoints.load(tmp_path / "ours").processor.images
    assert (images.do_pad, images.do_center_crop, images.side) == (False, True, 28)


def rewritten(published: Published, place: Path, **changes: Any) -> Path:
    """The published folder with another configuration."""
    folder = place / "changed"
    folder.mkdir()
    for file in published.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "config.json").write_text(json.dumps(AUTHORS | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"mm_projector_type": "linear"}, "mm_projector_type is 'linear'"),
        ({"mm_use_im_start_end": True}, "mm_use_im_start_end is True"),
        ({"image_aspect_ratio": "anyres"}, "image_aspect_ratio is 'anyres'; expected pad or square"),
        ({"mm_vision_select_feature": "cls"}, "mm_vision_select_feature is 'cls'"),
        ({"mm_vision_select_layer": None}, "lacks mm_vision_select_layer"),
        ({"mm_new": 1}, "unknown key 'mm_new'"),
        ({"other": 1}, "unknown key 'other'"),
        ({"hidden_size": 40}, "differs from the configuration"),
        ({"auto_map": {"AutoModel": "x.py"}}, "asks to run code"),
    ],
)
def test_what_is_not_computed_is_refused(
    published: Published, changes: dict[str, Any], found: str, tmp_path: Path
) -> None:
    folder = rewritten(published, tmp_path, **changes)
    with pytest.raises(CheckpointError, match=found):
        checkpoints.convert(folder, tmp_path / "ours", vision_tower=published.tower)
    assert not (tmp_path / "ours").exists()


def test_the_tower_is_asked_for_by_its_name(published: Published, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"openai/clip-vit-large-patch14-336.*--vision-tower"):
        checkpoints.convert(published.folder, tmp_path / "ours")
    with pytest.raises(UnsupportedConfig, match=r"model_type 'llava'; expected a CLIP"):
        checkpoints.convert(published.folder, tmp_path / "ours", vision_tower=published.folder)


def test_a_tuned_tower_among_the_weights_counts(published: Published, converted: Path, tmp_path: Path) -> None:
    folder = rewritten(published, tmp_path)
    shard = folder / "pytorch_model-00002-of-00002.bin"
    tuned = {
        f"model.vision_tower.vision_tower.{key.removeprefix('vision_tower.')}": value + 1
        for key, value in checkpoints.load(converted).model.state_dict().items()
        if key.startswith("vision_tower.")
    }
    torch.save(torch.load(shard, weights_only=True) | tuned, shard)
    checkpoints.convert(folder, tmp_path / "ours", vision_tower=published.tower)
    key = "vision_tower.vision_model.pre_layrnorm.weight"
    found: Tensor = checkpoints.load(tmp_path / "ours").model.state_dict()[key]
    assert torch.equal(found, checkpoints.load(converted).model.state_dict()[key] + 1)


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


def test_pickles_are_read_as_tensors_only(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = rewritten(published, tmp_path)
    shard = folder / "pytorch_model-00001-of-00002.bin"
    torch.save({"lm_head.weight": Evil()}, shard)
    with pytest.raises(UnsafeCheckpoint, match="asks to run code"):
        checkpoints.convert(folder, tmp_path / "ours", vision_tower=published.tower)
    shard.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match="not in the form that torch saves"):
        checkpoints.convert(folder, tmp_path / "ours", vision_tower=published.tower)
    shard.unlink()
    with pytest.raises(CheckpointError, match="is no file"):
        checkpoints.convert(folder, tmp_path / "ours", vision_tower=published.tower)
    index = {"weight_map": {"lm_head.weight": "../lm.bin"}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeCheckpoint, match=r"names the shard '\.\./lm\.bin'"):
        checkpoints.convert(folder, tmp_path / "ours", vision_tower=published.tower)
    assert "executed" not in capsys.readouterr().out


def test_loading_the_authors_folder_says_the_remedy(published: Published) -> None:
    with pytest.raises(CheckpointError, match="tutti convert"):
        checkpoints.load(published.folder)
