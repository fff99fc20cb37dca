"""Where a model computes and in which precision, from the words of a user; and what to say when memory is out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tutti.errors import CapacityError, InputError
from tutti.models.layers.linear import QuantizedLinear

DEVICES = "auto, cpu, cuda or cuda:N"
"""What a device may be called."""


def find_device(wanted: str = "auto") -> torch.device:
    """The device of a name; `auto` is the first GPU that torch can compute on, or else the CPU.

    Raises:
        InputError: The name is not known, or there is no such device here.
    """
    found = re.fullmatch(r"(auto|cpu|cuda)(?::([0-9]{1,3}))?", wanted)
    if found is None or (found[2] is not None and found[1] != "cuda"):
        raise InputError(f"device is {wanted!r}; expected {DEVICES}.")
    if found[1] == "cpu" or (found[1] == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "sees none" if torch.version.cuda or torch.version.hip else "was built without CUDA"
        raise InputError(
            f"device is {wanted!r}, but torch {torch.__version__} {why}; use cpu, or install its GPU build."
        )
    index, count = int(found[2] or 0), torch.cuda.device_count()
    if index >= count:
        there = "one, cuda:0" if count == 1 else f"{count}, cuda:0 to cuda:{count - 1}"
        raise InputError(f"device is {wanted!r}, but of CUDA devices there is {there}; name that, or use auto.")
    return torch.device("cuda", index)


def find_dtype(wanted: str, device: torch.device, quantized: bool) -> str:
    """The precision of a name; `auto` is bfloat16 on a GPU that computes in it, and float32 otherwise.

    Args:
        wanted: `auto`, or a name that is given back as it is.
        device: Where the model computes.
        quantized: Whether its weights are codes, beside which activations are float32.
    """
    if wanted != "auto":
        return wanted
    narrow = device.type == "cuda" and not quantized and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if narrow else "float32"


def computing_device(model: nn.Module) -> torch.device:
    """Where a model's weights are; the CPU for one that has none."""
    first = next((tensor for tensors in (model.parameters(), model.buffers()) for tensor in tensors), None)
    return torch.device("cpu") if first is None else first.device


def computing_dtype(model: nn.Module) -> torch.dtype:
    """The precision of a model's activations: its weights' own, and float32 where some of them are codes."""
    if any(isinstance(layer, QuantizedLinear) for layer in model.modules()):
        return torch.float32
    floats = (one.dtype for one in model.parameters() if one.is_floating_point())
    return next(floats, torch.float32)


def placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """An input of a model where the model is, floating-point numbers in its precision."""
    return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def out_of_memory(error: Exception) -> CapacityError | None:
    """What to raise in the place of torch's error if it says that a GPU's memory is used up; None of any other."""
    if not isinstance(error, torch.OutOfMemoryError):
        return None
    asked = re.search(r"Tried to allocate ([0-9.]+ [KMGT]i?B)", str(error))
    more = f" for {asked[1]} more" if asked else ""
    return CapacityError(
        f"The GPU has no memory left{more}; quantize the model (--quantize int8 or int4), ask less at once, "
        "or use --device cpu."
    )


@contextmanager
def within_memory() -> Iterator[None]:
    """Turn torch's word that a GPU's memory is used up into a sentence that says what to do.

    Raises:
        CapacityError: It is.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise out_of_memory(error) or error from None
