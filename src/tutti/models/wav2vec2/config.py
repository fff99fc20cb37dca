"""Configuration of Wav2Vec2, as `config.json` of `model_type` "wav2vec2" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields

TASKS = ("transcribe",)
NORMS = ("group", "layer")
"""Values of `feat_extract_norm` that are computed."""

_TRAINING_KEYS = frozenset(
    {
        "activation_dropout",
        "adapter_kernel_size",
        "adapter_stride",
        "apply_spec_augment",
        "classifier_proj_size",
        "codevector_dim",
        "contrastive_logits_temperature",
        "ctc_loss_reduction",
        "ctc_zero_infinity",
        "diversity_loss_weight",
        "feat_extract_dropout",
        "feat_proj_dropout",
        "feat_quantizer_dropout",
        "final_dropout",
        "freeze_feat_extract_train",
        "hidden_dropout",
        "hidden_dropout_prob",
        "layerdrop",
        "mask_channel_length",
        "mask_channel_min_space",
        "mask_channel_other",
        "mask_channel_prob",
        "mask_channel_selection",
        "mask_feature_length",
        "mask_feature_min_masks",
        "mask_feature_prob",
        "mask_time_length",
        "mask_time_min_masks",
        "mask_time_min_space",
        "mask_time_other",
        "mask_time_prob",
        "mask_time_selection",
        "no_mask_channel_overlap",
        "no_mask_time_overlap",
        "num_adapter_layers",
        "num_codevector_groups",
        "num_codevectors_per_group",
        "num_feat_extract_layers",
        "num_negatives",
        "proj_codevector_dim",
        "tdnn_dilation",
        "tdnn_dim",
        "tdnn_kernel",
        "use_weighted_layer_sum",
        "xvector_output_dim",
    }
)
"""Keys for training and for other heads."""
_ONLY: Mapping[str, Any] = {
    "add_adapter": False,
    "adapter_attn_dim": None,
    "feat_extract_activation": "gelu",
    "hidden_act": "gelu",
}
"""Keys that would change what is computed, and the one value that is."""


@dataclass(frozen=True, kw_only=True)
class Wav2Vec2Config(ReadConfig):
    """Sizes, named as in `config.json`. What it leaves out is as in the reference, wav2vec2-base-960h."""

    vocab_size: int = 32
    """V: letters, marks and the blank."""
    hidden_size: int = 768
    """D."""
    intermediate_size: int = 3072
    """Width inside the MLP."""
    num_hidden_layers: int = 12
    """Number of blocks."""
    num_attention_heads: int = 12
    """H, a divisor of D."""
    layer_norm_eps: float = 1e-5
    """Added to the variance in the norms from the projection on."""
    feat_extract_norm: str = "group"
    """`group`: each channel over the whole recording, first convolution only; `layer`: each frame, all of them."""
    conv_dim: tuple[int, ...] = (512,) * 7
    """Channels of each convolution."""
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    """Samples, then frames, that each convolution sees."""
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    """And by how many it goes on."""
    conv_bias: bool = False
    """Whether the convolutions have biases."""
    num_conv_pos_embeddings: int = 128
    """Frames that the convolution for positions sees."""
    num_conv_pos_embedding_groups: int = 16
    """Its groups, a divisor of D."""
    do_stable_layer_norm: bool = False
    """Whether norms come before each part of a block (large models on lv60 and xlsr) or after it."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.feat_extract_norm not in NORMS:
            raise UnsupportedConfig(
                f"feat_extract_norm is {self.feat_extract_norm!r}; computed are {' and '.join(NORMS)}."
            )
        for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if self.hidden_size % getattr(self, name):
                raise UnsupportedConfig(
                    f"hidden_size is {self.hidden_size} and {name} is {getattr(self, name)}; "
                    "expected the second to divide the first."
                )
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride):
            raise UnsupportedConfig(
                f"conv_dim, conv_kernel and conv_stride name {len(self.conv_dim)}, {len(self.conv_kernel)} and "
                f"{len(self.conv_stride)} convolutions; expected as many each."
            )

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> Wav2Vec2Config:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or has a value that is not computed here.
        """
        known = own_fields(cls)
        unread = check_keys(
            values, known | _TRAINING_KEYS | _ONLY.keys() | {"output_hidden_size"}, "The wav2vec2 configuration"
        )
        for key, value in _ONLY.items():
            if (found := values.get(key, value)) != value:
                raise UnsupportedConfig(f"{key} is {found!r}; this model computes {value!r} only.")
        given: dict[str, Any] = {key: values[key] for key in known if values.get(key) is not None}
        for key, value in given.items():
            given[key] = tuple(value) if isinstance(value, list) else value
        return cls(**given, unread=unread)

    @property
    def samples_per_frame(self) -> int:
        """Samples from one frame to the next."""
        step = 1
        for stride in self.conv_stride:
            step *= stride
        return step

    @property
    def samples_of_frame(self) -> int:
        """Samples that one frame sees, and so the shortest recording."""
        seen = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=True):
            seen = (seen - 1) * stride + kernel
        return seen

    def frames(self, samples: int) -> int:
        """F that a recording of so many samples becomes."""
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return max(0, samples)

    def parameters(self) -> int:
        """Parameters of the model with its letters."""
        d, inner = self.hidden_size, self.intermediate_size
        stem, inputs = 0, 1
        for channels, kernel in zip(self.conv_dim, self.conv_kernel, strict=True):
            stem += channels * (inputs * kernel + self.conv_bias)
            inputs = channels
        stem += 2 * (self.conv_dim[0] if self.feat_extract_norm == "group" else sum(self.conv_dim))
        projection = 2 * self.conv_dim[-1] + self.conv_dim[-1] * d + d
        taps = self.num_conv_pos_embeddings
        positions = d * d // self.num_conv_pos_embedding_groups * taps + taps + d
        layer = 4 * d * (d + 1) + 2 * d * inner + inner + d + 4 * d
        return stem + projection + positions + 2 * d + self.num_hidden_layers * layer + self.vocab_size * (d + 1)

    def flops(self, samples: int) -> int:
        """Operations (two a multiply-add) for a recording of so many samples. Counted are products of matrices."""
        d, total, width = self.hidden_size, 0, 1
        for channels, kernel, stride in zip(self.conv_dim, self.conv_kernel, self.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
            total += samples * kernel * width * channels
            width = channels
        positions = d * d // self.num_conv_pos_embedding_groups * self.num_conv_pos_embeddings
        layer = 4 * d * d + 2 * d * self.intermediate_size + 2 * samples * d
        return 2 * (total + samples * (width * d + positions + self.num_hidden_layers * layer + d * self.vocab_size))


def _check_numbers(config: Wav2Vec2Config) -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if field.type in ("int", "tuple[int, ...]"):
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers or any(type(number) is not int or number < 1 for number in numbers):
                raise UnsupportedConfig(f"{field.name} is {value!r}; expected whole numbers from 1 on.")
        if field.type == "float" and type(value) not in (int, float):
            raise UnsupportedConfig(f"{field.name} is {value!r}; expected a number.")
        if field.type == "bool" and type(value) is not bool:
            raise UnsupportedConfig(f"{field.name} is {value!r}; expected true or false.")
