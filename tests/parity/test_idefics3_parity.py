"""Idefics3 and SmolVLM against `transformers`: tiny random checkpoints and their processors."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from num2words import num2words
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.smolvlm.processing_smolvlm import DEFAULT_CHAT_TEMPLATE, SmolVLMProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

from tests.parity import written
from tests.parity.test_llava_parity import Saved
from tests.parity.written import close, noise
from tutti import checkpoints
from tutti.content import Message, Video
from tutti.errors import CapacityError, UnsupportedConfig
from tutti.media import InProcess, Limits, UniformFrames, Workers, decode_video
from tutti.model import load
from tutti.processing.smolvlm import in_words

TEMPLATE = """<s>
{%- for message in messages %}{{ message['role'] | capitalize }}
    {%- if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}
    {%- for line in message['content'] %}
        {%- if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}
    {%- endfor %}{{ '<end_of_utterance>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""
CELLS = [f"<row_{row + 1}_col_{column + 1}>" for row in range(4) for column in range(4)]
WORDS = written.tokenizer(
    ["<global-img>", *CELLS, "<fake_token_around_image>", "<image>", "<end_of_utterance>"], TEMPLATE
)
TEXT: dict[str, Any] = {
    "model_type": "llama", "vocab_size": len(WORDS), "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-5, "pad_token_id": 2,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 28,
    "patch_size": 7,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "HuggingFaceTB/SmolVLM-256M-Instruct": {"type": "idefics3", "scale_factor": 4},
    "HuggingFaceTB/SmolVLM-Instruct, an odd number of patches": {
        "type": "idefics3", "scale_factor": 3, "vision": {"image_size": 29, "patch_size": 3},
    },
    "HuggingFaceM4/Idefics3-8B-Llama3": {
        "type": "idefics3", "scale_factor": 2, "tie_word_embeddings": True,
        "text": {
            "rope_theta": 5e5, "tie_word_embeddings": True,
            "rope_scaling": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    },
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": {"type": "smolvlm", "scale_factor": 2},
}  # fmt: skip
CLASSES = {
    "idefics3": (Idefics3Config, Idefics3ForConditionalGeneration),
    "smolvlm": (SmolVLMConfig, SmolVLMForConditionalGeneration),
}
SAMPLING = {"fps": 1, "max_frames": 5, "video_size": {"longest_edge": 40}}
TURNS = [
    ("system", [written.TEXTS[1]]),
    ("user", [noise(20, 60), "and", noise(33, 28), written.TEXTS[0]]),
    ("assistant", [written.TEXTS[2]]),
    ("user", ["Why?"]),
]


def save_theirs(folder: Path, case: dict[str, Any], **options: Any) -> Saved:
    top = dict(case)
    kind, model_class = CLASSES[top.pop("type")]
    config = kind(
        text_config=TEXT | top.pop("text", {}),
        vision_config=VISION | top.pop("vision", {}),
        image_token_id=WORDS.convert_tokens_to_ids("<image>"),
        **top,
    )
    model = model_class(config).eval()
    written.draw(model)
    model.save_pretrained(folder, **options)
    side = config.vision_config.image_size
    images = Idefics3ImageProcessorPil(size={"longest_edge": 3 * side}, max_image_size={"longest_edge": side})
    tokens = (side // config.vision_config.patch_size // config.scale_factor) ** 2
    processor = Idefics3Processor(images, WORDS, image_seq_len=tokens, chat_template=TEMPLATE)
    processor.save_pretrained(folder)
    if kind is SmolVLMConfig:
        settings = json.loads((folder / "processor_config.json").read_text())["image_processor"]
        settings["video_sampling"] = SAMPLING
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return Saved(model, processor, folder)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_theirs(tmp_path_factory.mktemp("idefics3") / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    case = CASES["HuggingFaceTB/SmolVLM2-500M-Video-Instruct"]
    return save_theirs(tmp_path_factory.mktemp("idefics3") / "theirs", case)


@torch.inference_mode()
def test_what_they_save_computes_the_same_here(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    inputs = written.given(saved.processor, TURNS)
    ours, theirs = loaded.model(**inputs), saved.model(**inputs)
    close(ours.logits, theirs.logits)
    vision = {name: inputs[name] for name in ("pixel_values", "pixel_attention_mask")}
    close(ours.image_hidden_states, torch.cat(saved.model.get_image_features(**vision).pooler_output))
    config = saved.model.config
    assert loaded.info.media_tokens["image"]["picture"] == 10 * saved.processor.image_seq_len
    assert (loaded.info.family, loaded.info.tasks) == (config.model_type, ("ask",))


@torch.inference_mode()
def test_padding_is_not_seen(saved: Saved) -> None:
    """Tiles that are padded at the right and bottom, as batches of the reference may hold them, and blank ones."""
    loaded = checkpoints.load(saved.folder)
    side = saved.model.config.vision_config.image_size
    pixels = torch.randn(1, 4, 3, side, side, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 4, side, side, dtype=torch.int64)
    for index, (height, width) in enumerate([(side, side), (side - 9, side), (10, 17)]):
        mask[0, index, :height, :width] = 1
    pixels[0, 3] = 0
    theirs = saved.model.get_image_features(pixels, mask).pooler_output[0]
    close(loaded.model.see(pixels[0, :3], mask[0, :3]).flatten(0, 1), theirs)
    ids = torch.full((1, 3 * saved.processor.image_seq_len), saved.model.config.image_token_id)
    close(
        loaded.model(ids, pixels, mask).logits,
        saved.model(input_ids=ids, pixel_values=pixels, pixel_attention_mask=mask).logits,
    )


@torch.inference_mode()
def test_greedy_answers_are_the_same(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    asked = [[("user", ["Why?"])], TURNS]
    expected = [written.their_greedy(saved.model, written.given(saved.processor, turns)) for turns in asked]
    assert written.greedy(loaded.model, [written.prepared(loaded.processor, turns) for turns in asked]) == expected


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    checkpoints.save(loaded.model, tmp_path / "ours", config, {}, max_shard_bytes=50_000)
    theirs, info = type(saved.model).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    inputs = written.given(saved.processor, TURNS)
    assert torch.equal(theirs.eval()(**inputs).logits, saved.model(**inputs).logits)


@torch.inference_mode()
def test_shards_are_read(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "shards", {"type": "smolvlm", "scale_factor": 2}, max_shard_size="50KB")
    assert len(list(saved.folder.glob("model-*.safetensors"))) > 2
    inputs = written.given(saved.processor, TURNS)
    close(checkpoints.load(saved.folder).model(**inputs).logits, saved.model(**inputs).logits)


# Preprocessing.


@pytest.mark.parametrize("kind", [name for name, _, _ in written.odd_pictures()])
@pytest.mark.parametrize("splits", [True, False])
def test_pictures_and_tokens_are_the_same(plain: Saved, tmp_path: Path, kind: str, splits: bool) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "copy")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"do_image_splitting": splits}))
    _, pixels, picture = next(item for item in written.odd_pictures() if item[0] == kind)
    processor = checkpoints.load(folder).processor
    expected = written.given(plain.processor, [("user", [picture, "Why?"])], do_image_splitting=splits)
    made = processor.picture(pixels)
    np.testing.assert_allclose(made.arrays["pixel_values"], expected["pixel_values"][0], atol=2 / 255)
    assert expected["pixel_attention_mask"].all()
    prompt = processor.prompt([("user", [made, "Why?"])])
    assert prompt.input_ids.tolist() == expected["input_ids"][0].tolist()
    assert len(prompt.media) == len(made.arrays["pixel_values"])
    assert made.tokens <= processor.most_tiles * processor.tile_tokens


def test_conversations_are_written_as_theirs(plain: Saved) -> None:
    prompt = written.prepared(checkpoints.load(plain.folder).processor, TURNS)
    assert prompt.input_ids.tolist() == written.given(plain.processor, TURNS)["input_ids"][0].tolist()


def test_rows_and_columns_spelled_out_by_a_user_are_words(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    prompt = processor.prompt([("user", ["<row_1_col_1><image><fake_token_around_image><end_of_utterance>"])])
    specials = [token for token in prompt.input_ids.tolist() if token in processor.tokenizer.special_ids]
    assert [processor.tokenizer.token(token) for token in specials] == ["<s>", "<end_of_utterance>"]


# Videos.


def video(seconds: float, rate: float) -> Video:
    return Video(np.stack([noise(20, 30, seed) for seed in range(round(seconds * rate))]), frames_per_s=rate)


@pytest.mark.parametrize(("seconds", "rate"), [(0.25, 4), (1, 10), (3, 8), (5.5, 6), (9, 3), (8, 0.5), (30, 2)])
def test_frames_are_chosen_and_written_as_theirs(plain: Saved, seconds: float, rate: float) -> None:
    processor = checkpoints.load(plain.folder).processor
    clip = decode_video(video(seconds, rate), Limits(), processor.frame_choice)
    small = decode_video(video(seconds, rate), Limits(), processor.frame_choice, scale=processor.frame_scale)
    made = processor.video(small)
    sampler = SimpleNamespace(num_frames=SAMPLING["max_frames"], fps=SAMPLING["fps"])
    metadata = _Metadata(fps=rate, duration=clip.duration_s, total_num_frames=round(seconds * rate))
    chosen = SmolVLMVideoProcessor.sample_frames(sampler, metadata)
    np.testing.assert_allclose(made.times_s, chosen / rate)
    theirs = SimpleNamespace(
        image_seq_len=plain.processor.image_seq_len, fake_image_token="<fake_token_around_image>",
        image_token="<image>", global_image_token="<global-img>",
    )  # fmt: skip
    metadata["timestamps"] = chosen / rate
    values = {"pixel_values": np.zeros((1, len(chosen), 3, 28, 28)), "video_metadata": [metadata]}
    text = SmolVLMProcessor.replace_video_token(theirs, values, 0)
    rendered = plain.processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "What happens?"}]}],
        chat_template=DEFAULT_CHAT_TEMPLATE.replace("<|im_start|>", "<s>"), add_generation_prompt=True, tokenize=False,
    )  # fmt: skip
    expected = plain.processor.tokenizer(rendered.replace("<video>", text), add_special_tokens=False)["input_ids"]
    prompt = processor.prompt([("user", [made, "What happens?"])])
    assert prompt.input_ids.tolist() == expected
    assert len(prompt.media) == len(chosen)
    # The reference's frames need torchvision; they are resized as pictures are that are not cut.
    images = Idefics3ImageProcessorPil(
        size=SAMPLING["video_size"], max_image_size={"longest_edge": 28}, do_image_splitting=False
    )
    pixels = images(list(clip.frames), return_tensors="np")
    np.testing.assert_allclose(made.arrays["pixel_values"], pixels["pixel_values"][0], atol=2 / 255)


def hour(path: Path, side: tuple[int, int] = (1920, 1080)) -> Path:
    """An hour of film of that size, each frame of which shows for a minute."""
    with av.open(path, "w") as film:
        pictures = film.add_stream("mpeg4", rate=1, width=side[0], height=side[1], pix_fmt="yuv420p")
        pictures.time_base = Fraction(1, 1000)
        for minute in range(61):
            array = np.full((side[1], side[0], 3), 4 * minute, np.uint8)
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = 60_000 * minute, Fraction(1, 1000)
            film.mux(pictures.encode(frame))
        film.mux(pictures.encode())
    return path


def test_an_hour_of_large_frames_is_answered(plain: Saved, tmp_path: Path) -> None:
    film = Video(hour(tmp_path / "hour.mp4"))
    frames, tokens = SAMPLING["max_frames"], plain.processor.image_seq_len
    for workers in (None, Workers(1)):
        # One frame is within the budget as it is, and all of them only as the model takes them.
        limits = Limits(max_pixels=1920 * 1080 + 1, max_seconds=1800)
        decoder = workers.decoder(limits) if workers else InProcess(limits)
        with pytest.raises(CapacityError, match=r"lasts 3,6\d\d s or more; the limit is 1,800 s"):
            decoder.clip(film)
        with pytest.raises(CapacityError, match="1,920 x 1,080 pixels in 5 kept frames"):
            decoder.clip(film, UniformFrames(frames), sound=False)
        answer = load(str(plain.folder), decoder=decoder).ask("What happens?", film, max_tokens=2)
        assert answer.usage.video_tokens == frames * tokens
        if workers:
            workers.close()


class _Metadata(dict[str, Any]):
    """Their metadata: both an object and a mapping."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def test_pictures_and_videos_are_answered_through_the_face_of_models(plain: Saved) -> None:
    model = load(str(plain.folder))
    given = model.ask([Message.user(noise_part(), video(3, 4), "Why?")], max_tokens=4)
    frames, tokens = 3, plain.processor.image_seq_len
    assert given.usage.video_tokens == frames * tokens
    assert given.usage.image_tokens == (2 * 3 + 1) * tokens
    assert given.usage.completion_tokens == 4


def noise_part() -> Any:
    from tutti.content import Image

    return Image(noise(40, 60))


def test_numbers_are_said_as_theirs() -> None:
    assert [in_words(number) for number in range(1000)] == [num2words(number) for number in range(1000)]


# Strictness.


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("config.json", {"perceiver": 1}, "The smolvlm configuration has the unknown key 'perceiver'"),
        ("config.json", {"scale_factor": 3}, "scale_factor is 3, and a tile has 4 patches along a side"),
        ("config.json", {"image_token_id": None}, "image_token_id is None; expected a whole number"),
        ("config.json", {"text_config": {"model_type": "gemma"}}, "text_config is of model_type 'gemma'"),
        ("config.json", {"text_config": {"use_resampler": True}}, "text_config has use_resampler True"),
        ("config.json", {"text_config": {"rope_interleaved": True}}, "rope_interleaved is True; this decoder computes"),
        ("config.json", {"vision_config": {"model_type": "clip"}}, "vision_config is of model_type 'clip'; known are"),
        ("config.json", {"vision_config": {**VISION, "eyes": 2}}, "vision_config has the unknown key 'eyes'"),
        ("config.json", {"vision_config": 3}, "vision_config is 3; expected an object"),
        (
            "preprocessor_config.json",
            {"max_image_size": {"longest_edge": 30}},
            "max_image_size is 30, and the model sees",
        ),
        ("preprocessor_config.json", {"size": {"height": 3}}, "expected a longest_edge from 1 to 4096"),
        ("preprocessor_config.json", {"do_resize": False}, "do_resize is false; this model's pictures"),
        ("preprocessor_config.json", {"do_flip": False}, "has the unknown key 'do_flip'"),
        ("preprocessor_config.json", {"video_sampling": {"fps": 1}}, "video_sampling is {'fps': 1}; expected fps"),
    ],
)
def test_what_is_not_computed_is_refused(
    plain: Saved, tmp_path: Path, file: str, change: dict[str, Any], sentence: str
) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "changed")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(UnsupportedConfig, match=sentence):
        checkpoints.load(folder)
