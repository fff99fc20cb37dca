"""What this machine is, and how quantized weights are multiplied by on it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from tutti.models.layers.dispatch import choices


def processor() -> str:
    """The processor's name; Linux keeps it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Processor, torch and threads, and which kernels were found right and chosen (`tutti.models.layers.dispatch`)."""
    named = {"processor": processor(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    return named | choices()
