"""What `adapter_config.json` of the PEFT layout says, as far as it is computed here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutti.errors import UnsupportedConfig

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_FIXED: Mapping[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian", "eva", "orthogonal"),
}
"""Keys that may hold these values only; other first values change the base model, too."""
_NAMES = frozenset(
    "auto_mapping base_model_name_or_path eva_config exclude_modules fan_in_fan_out inference_mode layers_pattern "
    "layers_to_transform lora_dropout megatron_core peft_version qalora_group_size revision runtime_config "
    "task_type".split()
)
"""Keys that change nothing when the model answers, or that only say which layers change, as the weights' names do.

`fan_in_fan_out` is for layers that store their weight transposed; `peft` sets it back for linear ones.
"""
_NOTES = ("_", "unsloth_")
"""How notes begin that tools leave for themselves."""


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What `adapter_config.json` says."""

    r: int
    """Width between A and B."""
    lora_alpha: float
    """Strength of the change, before it is divided by the rank."""
    target_modules: tuple[str, ...] | str
    """Last parts of the names of the layers that change, or a pattern."""
    use_rslora: bool = False
    """Whether the strength is divided by the root of the rank."""
    base_model: str | None = None
    """What it was trained on, as its author calls it."""
    lora_dropout: float = 0.0
    """Share of the inputs of the change that are left out in training."""
    excludes: bool = False
    """Whether `exclude_modules` may leave layers out that `target_modules` names."""

    def __post_init__(self) -> None:
        if type(self.r) is not int or self.r < 1:
            raise UnsupportedConfig(f"r is {self.r!r}; expected a whole number from 1 on.")
        if type(self.lora_alpha) not in (int, float) or not math.isfinite(self.lora_alpha):
            raise UnsupportedConfig(f"lora_alpha is {self.lora_alpha!r}; expected a number.")
        names = (self.target_modules,) if isinstance(self.target_modules, str) else self.target_modules
        if not names or not all(isinstance(name, str) and name for name in names):
            raise UnsupportedConfig(f"target_modules is {self.target_modules!r}; expected names of layers.")

    @property
    def scale(self) -> float:
        """Factor of the change."""
        return self.lora_alpha / (math.sqrt(self.r) if self.use_rslora else self.r)

    @classmethod
    def from_peft(cls, values: Mapping[str, Any]) -> AdapterConfig:
        """Read `adapter_config.json`. Whatever it switches on that is not computed here is refused.

        Raises:
            UnsupportedConfig: It is not of LoRA, lacks something, or asks for more.
        """
        for key, allowed in _FIXED.items():
            if values.get(key, allowed[0]) not in allowed:
                raise UnsupportedConfig(f"{CONFIG} has {key} {values[key]!r}; computed is {allowed[0]!r}.")
        own = {"r", "lora_alpha", "target_modules", "use_rslora"}
        # Switched off, in PEFT's files, is null, false or empty.
        named = {key for key, value in values.items() if value and not key.startswith(_NOTES)}
        further = named - own - _FIXED.keys() - _NAMES
        if further:
            key = min(further)
            raise UnsupportedConfig(f"{CONFIG} sets {key} to {values[key]!r}, which is not computed here.")
        if lacking := sorted({"r", "lora_alpha", "target_modules"} - {*values}):
            raise UnsupportedConfig(f"{CONFIG} lacks {lacking[0]!r}.")
        targets, base = values["target_modules"], values.get("base_model_name_or_path")
        return cls(
            r=values["r"],
            lora_alpha=values["lora_alpha"],
            target_modules=tuple(targets) if isinstance(targets, list) else targets,
            use_rslora=values.get("use_rslora") is True,
            base_model=base if isinstance(base, str) else None,
            excludes=bool(values.get("exclude_modules")),
        )

    def to_peft(self) -> dict[str, Any]:
        """What `peft` reads."""
        targets = self.target_modules
        return {
            "peft_type": "LORA",
            "base_model_name_or_path": self.base_model,
            "r": self.r,
            "lora_alpha": self.lora_alpha,
            "target_modules": targets if isinstance(targets, str) else list(targets),
            "lora_dropout": self.lora_dropout,
            "use_rslora": self.use_rslora,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
        }
