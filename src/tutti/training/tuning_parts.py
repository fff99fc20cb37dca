"""Which parts of each family can be tuned, and which layers get an adapter where nobody says otherwise.

The one table of it. Adapters go beside all linear layers of the decoder's blocks (Dettmers et al. 2023, QLoRA, section
4: adapters on all layers are what it takes to reach full tuning), never beside those of trunks, whose layers have the
same names.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from tutti.checkpoints.adapters import linear_layers
from tutti.checkpoints.family import Family
from tutti.errors import InputError, UnsupportedTask

PARTS = ("connector", "decoder", "trunks")


@dataclass(frozen=True, kw_only=True)
class FamilyParts:
    """Patterns (`fnmatch`) over the names of a family's parameters."""

    decoder: tuple[str, ...]
    connector: tuple[str, ...] = ()
    trunks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """Last parts of the names of the decoder's layers that get an adapter."""

    def of(self, part: str) -> tuple[str, ...]:
        """The patterns of a part."""
        return {"decoder": self.decoder, "connector": self.connector, "trunks": self.trunks}[part]


_LLAVA = FamilyParts(decoder=("language_model.*",), connector=("multi_modal_projector.*",), trunks=("vision_tower.*",))
_LLAMA = FamilyParts(decoder=("*",))
_IDEFICS3 = FamilyParts(
    decoder=("model.text_model.*", "lm_head.*"), connector=("model.connector.*",), trunks=("model.vision_model.*",)
)
FAMILY_PARTS: Mapping[str, FamilyParts] = {
    "llava": _LLAVA,
    "llava_next": FamilyParts(
        decoder=_LLAVA.decoder, connector=(*_LLAVA.connector, "image_newline"), trunks=_LLAVA.trunks
    ),
    "mllama": FamilyParts(
        decoder=("language_model.*",), connector=("multi_modal_projector.*",), trunks=("vision_model.*",)
    ),
    "idefics": FamilyParts(
        decoder=("model.layers.*", "model.gated_cross_attn_layers.*", "model.embed*", "model.norm.*", "lm_head.*"),
        connector=("model.perceiver_resampler.*",),
        trunks=("model.vision_model.*",),
    ),
    "idefics3": _IDEFICS3,
    "smolvlm": _IDEFICS3,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "whisper": FamilyParts(
        decoder=("model.decoder.*", "proj_out.*"),
        trunks=("model.encoder.*",),
        targets=("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"),
    ),
    "tutti_omni": FamilyParts(
        decoder=("decoder.*", "embed_in.*", "embed_out.*", "special", "special_out", "output_bias"),
        connector=("connectors.*", "seen.*", "frame_positions.*"),
        trunks=("trunks.*",),
    ),
}
"""By `model_type`."""

_BLOCKS: Mapping[str, tuple[str, ...]] = {"idefics": ("model.layers", "model.gated_cross_attn_layers")}
"""Where a family's blocks that get adapters are more than those that it names."""


def parts_of(name: str) -> FamilyParts:
    """The parts of a family.

    Raises:
        UnsupportedTask: Its models are not tuned.
    """
    if name not in FAMILY_PARTS:
        raise UnsupportedTask(f"Models of family {name} are not tuned; those of {', '.join(FAMILY_PARTS)} are.")
    return FAMILY_PARTS[name]


def blocks_of(name: str, family: Family) -> Sequence[str]:
    """Names of the modules that hold the decoder's blocks."""
    return _BLOCKS.get(name, family.decoder_blocks)


def target_layers(model: nn.Module, name: str, family: Family, patterns: Sequence[str] = ()) -> tuple[str, ...]:
    """Full names of the layers that get an adapter.

    Args:
        model: The model.
        name: Its family's.
        family: Its family.
        patterns: `fnmatch` patterns: over whole names where they hold a full stop, otherwise over the last parts of the
            names of layers in the decoder's blocks; the family's own targets if there are none.

    Raises:
        InputError: A pattern matches no linear layer.
    """
    layers = linear_layers(model)
    blocks = tuple(f"{block}." for block in blocks_of(name, family))
    within = [layer for layer in layers if layer.startswith(blocks)]
    found: set[str] = set()
    for pattern in patterns or parts_of(name).targets:
        if "." in pattern:
            matched = fnmatch.filter(layers, pattern)
        else:
            matched = [layer for layer in within if fnmatch.fnmatch(layer.rpartition(".")[2], pattern)]
        if not matched and patterns:
            known = ", ".join(sorted({layer.rpartition(".")[2] for layer in within}))
            raise InputError(f"The target {pattern!r} matches no linear layer; the decoder's blocks have {known}.")
        found.update(matched)
    return tuple(layer for layer in layers if layer in found)


def trained_patterns(name: str, parts: Sequence[str]) -> tuple[str, ...]:
    """Patterns of the parameters of some parts.

    Raises:
        InputError: The family has no such part.
    """
    table = parts_of(name)
    for part in parts:
        if part not in PARTS or not table.of(part):
            known = ", ".join(one for one in PARTS if table.of(one))
            raise InputError(f"--parts names {part!r}; models of family {name} have {known}.")
    return tuple(pattern for part in parts for pattern in table.of(part))
