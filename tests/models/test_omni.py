"""`tutti_omni`, tiny: whatever can be said of it without training."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.models.conftest import TINY, media_batch, tiny_config, tiny_model, tiny_values
from tutti.errors import InputError, TuttiError, UnsupportedConfig, UnsupportedTask
from tutti.models.layers.attention import MaskedAttend, attention
from tutti.models.omni.config import OmniConfig
from tutti.models.omni.model import Omni

IMAGE, AUDIO, VIDEO = 4, 5, 6
MODALITIES = ("image", "audio", "video")
DEPTH: dict[str, Any] = {
    "trunks": {"depth": TINY["trunks"]["image"]},
    "connectors": {"depth": {"kind": "linear", "merge": 2}},
    "placeholder_ids": {"depth": 7},
}
RESAMPLED: dict[str, Any] = {
    "connectors": {name: {"kind": "resampler", "tokens": count} for name, count in (("image", 3), ("audio", 2))}
}


@pytest.fixture(scope="module")
def model() -> Omni:
    return tiny_model()


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def sentence(kind: type[TuttiError], act: Any) -> str:
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)


class Cached(MaskedAttend):
    """An `Attend` that keeps what it was given, for one token at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        if layer in self.kept:
            key, value = (torch.cat(pair, dim=1) for pair in zip(self.kept[layer], (key, value), strict=True))
        self.kept[layer] = key, value
        return attention(query, key, value)


# The shared space.


@pytest.mark.parametrize("modality", MODALITIES)
@torch.inference_mode()
def test_a_medium_in_a_batch_is_the_medium_alone(model: Omni, modality: str) -> None:
    batch = media_batch(modality, batch=3)
    points, tokens = model.embed_media(modality, batch), model.connect(modality, batch)
    for row in range(3):
        alone = {name: values[row : row + 1] for name, values in batch.items()}
        close(points[row], model.embed_media(modality, alone)[0])
        close(tokens[row], model.connect(modality, alone)[0])
        close(tokens[row], model.encode_media(modality, {name: values[row] for name, values in batch.items()}))
    assert not torch.allclose(points[0], points[1], atol=1e-3)


@torch.inference_mode()
def test_a_text_in_a_padded_batch_is_the_text_alone(model: Omni) -> None:
    ids = torch.tensor([[9, 10, 11, 12, 13], [14, 15, 0, 0, 0], [16, 17, 18, 33, 34]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    points = model.embed_text(ids, mask)
    for row, length in enumerate((5, 2, 3)):
        alone = model.embed_text(ids[row : row + 1, :length], torch.ones(1, length, dtype=torch.int64))
        close(points[row], alone[0])


@torch.inference_mode()
def test_points_have_unit_length(model: Omni) -> None:
    points = [model.embed_media(modality, media_batch(modality)) for modality in MODALITIES]
    points.append(model.embed_media("video", media_batch("video", sound=False)))
    points.append(model.embed_text(torch.tensor([[9, 10, 11]]), torch.ones(1, 3, dtype=torch.int64)))
    for rows in points:
        assert rows.shape[1] == 10
        close(rows.norm(dim=-1), torch.ones(len(rows)))


@torch.inference_mode()
def test_order_counts_in_a_text(model: Omni) -> None:
    mask = torch.ones(1, 3, dtype=torch.int64)
    there, back = (model.embed_text(torch.tensor([ids]), mask) for ids in ([9, 10, 11], [11, 10, 9]))
    assert not torch.allclose(there, back, atol=1e-3)


@torch.inference_mode()
def test_a_clip_is_the_mean_direction_of_its_frames_and_its_sound(model: Omni) -> None:
    clip = media_batch("video")
    pictures = [model.embed_media("image", {"pixel_values": clip["pixel_values"][:, index]}) for index in range(2)]
    seen = torch.nn.functional.normalize(pictures[0] + pictures[1], dim=-1)
    close(model.embed_media("video", {"pixel_values": clip["pixel_values"]}), seen)
    heard = model.embed_media("audio", {"input_features": clip["input_features"]})
    close(model.embed_media("video", clip), torch.nn.functional.normalize(seen + heard, dim=-1))


# Tokens of the decoder.


@torch.inference_mode()
def test_a_clip_without_sound_is_the_first_part_of_the_clip_with_it(model: Omni) -> None:
    whole, silent = (model.connect("video", media_batch("video", sound=sound)) for sound in (True, False))
    assert whole.shape[1] > silent.shape[1] == 2
    assert torch.equal(whole[:, :2], silent)
    assert torch.equal(whole[:, 2:], model.connect("audio", {"input_features": media_batch("video")["input_features"]}))


@torch.inference_mode()
def test_a_frame_is_told_from_the_same_frame_later(model: Omni) -> None:
    picture = media_batch("image", batch=1)["pixel_values"]
    tokens = model.connect("video", {"pixel_values": picture[:, None].expand(1, 2, 3, 16, 16)})
    positions = model.frame_positions["video"]
    close(tokens[0, 1] - tokens[0, 0], positions[1] - positions[0])


@pytest.mark.parametrize("changes", [{}, RESAMPLED], ids=["merged", "resampled"])
@torch.inference_mode()
def test_the_configuration_tells_how_many_tokens_there_are(changes: dict[str, Any]) -> None:
    model = tiny_model(**changes)
    config = model.config
    assert model.connect("image", media_batch("image")).shape == (2, config.picture_tokens(), 16)
    for frames in (1, 8, 9, 24, 25):
        sound = torch.zeros(1, 8, frames)
        assert model.connect("audio", {"input_features": sound}).shape[1] == config.sound_tokens(frames)
        clip = {"pixel_values": torch.zeros(1, 3, 3, 16, 16), "input_features": sound}
        assert model.connect("video", clip).shape[1] == config.clip_tokens(3, frames)
    assert config.clip_tokens(3, 0) == 3
    assert config.picture_tokens() == (3 if changes else 4)
    assert config.sound_tokens(25) == (2 if changes else 4)


def test_what_the_decoder_does_not_hear_of_takes_no_tokens() -> None:
    config = tiny_config(trunks=DEPTH["trunks"])
    assert config.picture_tokens("depth") == config.sound_tokens(8, "depth") == config.clip_tokens(2, 8, "depth") == 0


@torch.inference_mode()
def test_media_go_to_their_placeholders_in_order(model: Omni) -> None:
    pictures, sound = model.connect("image", media_batch("image")), model.connect("audio", media_batch("audio", 1))
    ids = torch.tensor([[2, *[IMAGE] * 4, 9, *[AUDIO] * 3, 3], [10, 11, *[IMAGE] * 4, 12, 13, 14, 15]])
    placed = model.place(ids, {"image": pictures, "audio": sound})
    assert torch.equal(placed[0, 1:5], pictures[0])
    assert torch.equal(placed[0, 6:9], sound[0])
    assert torch.equal(placed[1, 2:6], pictures[1])
    words = (ids != IMAGE) & (ids != AUDIO)
    assert torch.equal(placed[words], model.embed_tokens(ids)[words])


@torch.inference_mode()
def test_media_of_one_row_fill_it_in_order(model: Omni) -> None:
    tokens = model.connect("image", media_batch("image"))
    placed = model.place(torch.tensor([[*[IMAGE] * 4, 9, *[IMAGE] * 4]]), {"image": tokens})
    assert torch.equal(placed[0, [0, 1, 2, 3, 5, 6, 7, 8]], tokens.flatten(0, 1))


# The decoder.


@torch.inference_mode()
def test_logits_of_the_whole_are_those_step_by_step(model: Omni) -> None:
    ids = torch.tensor([[2, *[VIDEO] * 5, 20, 21, 3, 30, 31]])
    clip = media_batch("video", batch=1)
    whole = model(ids, {"video": clip})
    embedded, attend = model.place(ids, {"video": model.connect("video", clip)}), Cached()
    for step in range(ids.shape[1]):
        hidden = model.decode(embedded[:, step : step + 1], torch.tensor([[step]]), attend)
        close(hidden, whole.hidden[:, step : step + 1])
        close(model.logits(hidden), whole.logits[:, step : step + 1])


@torch.inference_mode()
def test_positions_and_mask_make_a_padded_row_the_row_alone(model: Omni) -> None:
    ids = torch.tensor([[2, 9, 10, 3]])
    mask = torch.zeros(1, 1, 6, 6, dtype=torch.bool)
    mask[..., 2:, 2:] = torch.ones(4, 4, dtype=torch.bool).tril()
    mask |= torch.eye(6, dtype=torch.bool)
    padded = model(torch.tensor([[0, 0, 2, 9, 10, 3]]), None, torch.tensor([[0, 0, 0, 1, 2, 3]]), mask)
    close(padded.logits[:, 2:], model(ids).logits)


@torch.inference_mode()
def test_a_picture_changes_what_comes_after_it_only(model: Omni) -> None:
    ids = torch.tensor([[2, 9, *[IMAGE] * 4, 10, 3]])
    one, other = (
        model(ids, {"image": {"pixel_values": row[None]}}).logits for row in media_batch("image")["pixel_values"]
    )
    close(one[:, :2], other[:, :2])
    assert (one - other)[:, 2:].abs().amax(dim=-1).min() > 1e-3


@torch.inference_mode()
def test_structure_is_answered_by_special_out_and_words_by_the_table(model: Omni) -> None:
    hidden = torch.randn(3, 16, generator=torch.Generator().manual_seed(1))
    logits = model.logits(hidden)
    close(logits[:, :8], hidden @ model.special_out.T + model.output_bias[:8])
    rows = model.words.table[8:].float()
    directions = rows / rows.norm(dim=-1, keepdim=True) * 8**0.5
    close(logits[:, 8:], model.embed_out(hidden) @ directions.T + model.output_bias[8:])


@torch.inference_mode()
def test_structure_is_read_by_special_and_words_by_the_table(model: Omni) -> None:
    embedded = model.embed_tokens(torch.tensor([0, 7, 8, 39]))
    assert torch.equal(embedded[:2], model.special[[0, 7]])
    close(embedded[2:], model.embed_in(model.words.directions()[[8, 39]]))


@torch.inference_mode()
def test_a_row_of_the_table_is_its_scale_times_its_numbers(model: Omni) -> None:
    close(model.words(torch.tensor([12])), model.words.table[12].float()[None] * model.words.scale[12])


def test_what_the_engine_asks_for(model: Omni) -> None:
    assert (model.layers, model.kv_heads, model.head_width, model.context_length) == (2, 2, 4, 64)


def test_it_learns_every_weight_but_those_no_objective_saw() -> None:
    model = tiny_model().train()
    ids = torch.tensor([[2, *[VIDEO] * 5, 20, 21, 3, 30, 31]])
    output = model(ids, {"video": media_batch("video", batch=1)})
    space = [
        model.embed_media("video", media_batch("video")),
        model.embed_text(torch.tensor([[9, 10]]), torch.ones(1, 2)),
    ]
    image = model.connect("image", media_batch("image"))
    scale = model.logit_scale.exp()
    (output.logits.square().mean() + scale * sum(x[:, 0].sum() for x in space) + image.sum()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_training_goes_on_after_answering() -> None:
    model = tiny_model()
    with torch.inference_mode():
        before = model(torch.tensor([[2, 9, 3]])).logits
    after = model(torch.tensor([[2, 9, 3]])).logits
    after.sum().backward()
    assert torch.equal(before, after)
    assert model.embed_out.weight.grad is not None


def test_a_loaded_table_is_the_one_that_answers() -> None:
    model, source = tiny_model(), tiny_model()
    source.words.table.random_(-100, 100)
    ids = torch.tensor([[2, 9, 3]])
    with torch.inference_mode():
        stale, wanted = model(ids).logits, source(ids).logits
        model.load_state_dict(source.state_dict())
        assert not torch.equal(stale, wanted)
        assert torch.equal(model(ids).logits, wanted)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_is_equal(model: Omni, duplicate: Any) -> None:
    with torch.inference_mode():
        assert torch.equal(duplicate(model)(torch.tensor([[2, 9, 3]])).logits, model(torch.tensor([[2, 9, 3]])).logits)


# More modalities and other connectors, by configuration.


@torch.inference_mode()
def test_a_modality_is_a_line_for_the_trunk_and_one_for_the_connector() -> None:
    model = tiny_model(**DEPTH)
    depth = media_batch("depth")
    assert model.embed_media("depth", depth).shape == (2, 10)
    ids = torch.tensor([[2, *[7] * 4, 9, *[IMAGE] * 4, 3]])
    media = {"depth": media_batch("depth", 1), "image": media_batch("image", 1)}
    assert model(ids, media).logits.shape == (1, 11, 40)
    assert model.config.picture_tokens("depth") == 4
    assert not torch.allclose(model.connect("depth", depth), model.connect("image", depth), atol=1e-3)


@torch.inference_mode()
def test_a_trunk_without_a_connector_is_in_the_shared_space_only() -> None:
    model = tiny_model(trunks=DEPTH["trunks"])
    assert model.embed_media("depth", media_batch("depth")).shape == (2, 10)
    said = sentence(UnsupportedTask, lambda: model.connect("depth", media_batch("depth")))
    assert said == "The decoder of this model does not hear of depth; it hears of text, image, audio, video."


@torch.inference_mode()
def test_a_resampler_is_chosen_by_configuration() -> None:
    model = tiny_model(**RESAMPLED)
    ids = torch.tensor([[2, *[IMAGE] * 3, *[AUDIO] * 2, 3]])
    media = {"image": media_batch("image", 1), "audio": media_batch("audio", 1)}
    assert model(ids, media).logits.shape == (1, 7, 40)


# What it costs.


@pytest.mark.parametrize("changes", [{}, DEPTH, RESAMPLED], ids=["plain", "depth", "resampled"])
def test_parameters_are_counted(changes: dict[str, Any]) -> None:
    config = tiny_config(**changes)
    assert config.parameters() == sum(parameter.numel() for parameter in Omni(config).parameters())


def counted(act: Any) -> int:
    """Operations as torch counts them; attention written out, since not every counter knows its operator."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        act()
    return counter.get_total_flops()


@pytest.mark.parametrize("changes", [{}, RESAMPLED], ids=["merged", "resampled"])
def test_flops_of_media_are_those_torch_counts(changes: dict[str, Any]) -> None:
    model = tiny_model(**changes)
    one = {name: media_batch(name, batch=1, frames=3) for name in MODALITIES}
    assert model.config.media_flops("image") == counted(lambda: model.connect("image", one["image"]))
    assert model.config.media_flops("audio", sound_frames=24) == counted(lambda: model.connect("audio", one["audio"]))
    clip = counted(lambda: model.connect("video", one["video"]))
    assert model.config.media_flops("video", frames=3, sound_frames=24) == clip
    silent = counted(lambda: model.connect("video", {"pixel_values": one["video"]["pixel_values"]}))
    assert model.config.media_flops("video", frames=3) == silent < clip


def test_flops_of_a_token_are_those_torch_counts(model: Omni) -> None:
    assert model.config.flops(tokens=1) == counted(lambda: model(torch.tensor([[9]])))


def test_flops_in_two_parts_are_those_of_the_whole() -> None:
    config = tiny_config()
    assert config.flops(tokens=5) + config.flops(tokens=7, context=5) == config.flops(tokens=12)


def test_kv_bytes_are_two_a_layer_a_head_a_value() -> None:
    assert tiny_config().kv_bytes_per_token() == 2 * 2 * 2 * 4 * 4


# What is refused.


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        (
            lambda model: model.embed_media("thermal", {}),
            UnsupportedTask,
            "This model has no trunk for thermal; it has trunks for text, image, audio, video.",
        ),
        (
            lambda model: model.encode_media("motion", {}),
            UnsupportedTask,
            "This model has no trunk for motion; it has trunks for text, image, audio, video.",
        ),
        (
            lambda model: model.place(torch.tensor([[9]]), {"depth": torch.zeros(1, 16)}),
            UnsupportedTask,
            "The decoder of this model does not hear of depth; it hears of text, image, audio, video.",
        ),
        (
            lambda model: model.encode("video", media_batch("video")),
            UnsupportedTask,
            "video has no trunk of its own; encode its image and audio.",
        ),
        (
            lambda model: model.encode("image", media_batch("audio")),
            InputError,
            "The trunk for image takes pixel_values, and was given input_features.",
        ),
        (
            lambda model: model.connect("audio", media_batch("video")),
            InputError,
            "The trunk for audio takes input_features, and was given pixel_values and input_features.",
        ),
        (
            lambda model: model.connect("video", media_batch("audio")),
            InputError,
            "The trunk for video takes pixel_values and, with sound, input_features, and was given input_features.",
        ),
        (
            lambda model: model.embed_media("video", {}),
            InputError,
            "The trunk for video takes pixel_values and, with sound, input_features, and was given nothing.",
        ),
        (
            lambda model: model.connect("video", media_batch("video", frames=4)),
            InputError,
            "The clip has 4 frames; this model takes at most 3: choose fewer.",
        ),
        (
            lambda model: model.embed_text(torch.full((1, 7), 9), torch.ones(1, 7)),
            InputError,
            "The text has 7 tokens; this model embeds at most 6: cut it.",
        ),
        (
            lambda model: model(torch.full((1, 5), IMAGE), {"image": media_batch("image", 1)}),
            InputError,
            "There are 4 tokens of image for 5 placeholders; expected as many.",
        ),
        (
            lambda model: model(torch.full((1, 4), IMAGE), {"image": media_batch("image", 2)}),
            InputError,
            "There are 8 tokens of image for 4 placeholders; expected as many.",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(model: Omni, act: Any, kind: type[TuttiError], said: str) -> None:
    assert sentence(kind, lambda: act(model)) == said


def trunk(name: str, **changes: Any) -> dict[str, Any]:
    return {"trunks": {name: {**TINY["trunks"][name], **changes}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"words": {"rows": 3}},
            (
                "words has the unknown key 'rows'; known are: heads, inner, layers, max_tokens, "
                "special_tokens, vocabulary, width."
            ),
        ),
        ({"words": {"width": "8"}}, "words has width '8'; expected a whole number."),
        ({"words": {"heads": 3}}, "words has 3 heads of a width of 8; expected a divisor."),
        (
            {"words": {"special_tokens": 41}},
            ("words.special_tokens is 41 and words.vocabulary 40; expected no more of the first than of the second."),
        ),
        (
            {"words": {"vocabulary": 50}},
            (
                "decoder.vocab_size is 40 and words.vocabulary 50; "
                "expected one number, since the decoder answers in words of the table."
            ),
        ),
        ({"words": 3}, "words is 3; expected an object."),
        ({"trunks": [1]}, "trunks of config.json is [1]; expected an object."),
        ({"trunks": {"image": None}}, "trunks.image is None; expected an object."),
        ({"trunks": {"smell": {"size": 4}}}, "trunks.smell lacks 'kind'."),
        ({"trunks": {"smell": {"kind": "nose"}}}, "A trunk is of kind 'nose'; known are picture, sound and frames."),
        (trunk("image", size=18), "A trunk of size 18 has 2 stages, which each halve it; expected a multiple of 4."),
        (
            trunk("image", blocks=[1]),
            "A trunk has channels [4, 6] and blocks [1]; expected one number a stage in each.",
        ),
        (trunk("image", heads=3), "A trunk has 3 heads of a width of 8; expected a divisor."),
        (
            trunk("image", width=9, heads=3),
            ("A trunk is 9 wide; expected an even number, since positions are pairs of sine and cosine."),
        ),
        (trunk("video", of="audio"), "trunks.video.of is 'audio'; expected the name of a trunk of kind picture."),
        (trunk("video", sound=""), "trunks.video.sound is ''; expected the name of a trunk of kind sound."),
        (trunk("video", max_frames=0), "trunks.video.max_frames is 0; expected 1 or more."),
        (
            {"connectors": {"image": {"kind": "glue"}}},
            ("A connector is of kind 'glue'; known are linear, mlp and resampler."),
        ),
        (
            {"connectors": {"image": {"kind": "mlp", "merge": 0}}},
            ("A connector merges 0 neighbours; expected 1 (none) or more."),
        ),
        (
            {"connectors": {"image": {"kind": "mlp", "merge": 3}}},
            ("connectors.image merges 3 x 3 neighbours of a grid of 4 x 4; expected a divisor."),
        ),
        (
            {"connectors": {"image": {"kind": "mlp", "tokens": 3}}},
            (
                "A connector of kind 'mlp' has tokens 3; "
                "expected a number above zero for a resampler, and none for others."
            ),
        ),
        (
            {"connectors": {"image": {"kind": "resampler"}}},
            (
                "A connector of kind 'resampler' has tokens 0; "
                "expected a number above zero for a resampler, and none for others."
            ),
        ),
        ({"connectors": {"depth": {"kind": "mlp"}}}, "connectors.depth has no trunk; there are image, audio, video."),
        (
            {"placeholder_ids": {"depth": 7}},
            (
                "placeholder_ids are for image, audio, video, depth and connectors for "
                "image, audio, video; expected the same modalities in both."
            ),
        ),
        (
            {"colour": 1},
            (
                "config.json has the unknown key 'colour'; known are: assistant_id, connectors, decoder, eos_id, "
                "model_type, names, placeholder_ids, shared_width, trunks, user_id, words."
            ),
        ),
    ],
)
def test_a_configuration_that_does_not_add_up_is_refused(changes: dict[str, Any], said: str) -> None:
    assert sentence(UnsupportedConfig, lambda: tiny_config(**changes)) == said


@pytest.mark.parametrize("key", sorted(set(TINY) - {"model_type"}))
def test_a_missing_key_is_named(key: str) -> None:
    values = {name: value for name, value in tiny_values().items() if name != key}
    assert sentence(UnsupportedConfig, lambda: OmniConfig.from_hf(values)) == f"config.json lacks {key!r}."


def test_a_resampler_needs_a_width_that_its_heads_divide() -> None:
    changes = {**RESAMPLED, "decoder": {"hidden_size": 12}}
    said = "connectors.image has 8 heads of a width of 12; expected a divisor."
    assert sentence(UnsupportedConfig, lambda: tiny_config(**changes)) == said


def test_clips_with_a_connector_need_one_for_their_sound() -> None:
    values = tiny_values()
    values["connectors"] = {name: item for name, item in values["connectors"].items() if name != "audio"}
    said = "connectors.video needs connectors.audio for the sound of its clips."
    assert sentence(UnsupportedConfig, lambda: OmniConfig.from_hf(values)) == said
