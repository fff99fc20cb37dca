"""What a model takes in memory once it answers, told from headers alone."""

from __future__ import annotations

import math

from tutti.checkpoints.inspection import CheckpointInfo
from tutti.errors import InputError

CACHE_BYTES = 512 * 2**20
"""Memory for keys and values where nobody says another."""
LEAST_TOKENS = 2048
"""Tokens whose keys and values are kept in any case."""
MOST_RUNNING = 16
"""Requests that run at once where nobody says another number."""

_GPU_DTYPE, _CPU_DTYPE = "bfloat16", "float32"


def needed_memory(
    info: CheckpointInfo, dtype: str | None = None, quantize: str | None = None, on_gpu: bool = False
) -> dict[str, int]:
    """Bytes that a checkpoint takes when it is loaded and its cache of keys and values is full.

    Not counted: torch itself, the activations of a step, media that are looked at beside the context, and int8 weights
    that are kept beside int4 ones on a CPU (`TUTTI_SECOND_FORM_BYTES`). On a CPU, weights that need no cast lie in
    pages of the file, which the system takes back, and pages of the cache are taken only as tokens come.

    Args:
        info: The checkpoint.
        dtype: float32, bfloat16, float16, or auto, which None is: bfloat16 on a GPU unless quantized, else float32.
        quantize: As for `load`; "+trunks" is counted as without, which is more.
        on_gpu: Whether it would be on a GPU.

    Returns:
        `weights`, `keys_and_values` and their sum `total`.

    Raises:
        InputError: The checkpoint cannot be loaded so.
    """
    scheme = "as stored" if "as stored" in info.memory_bytes else (quantize or "").partition("+")[0]
    plain = _GPU_DTYPE if on_gpu and not scheme else _CPU_DTYPE
    dtype = plain if dtype in (None, "auto") else dtype
    key = scheme or ("float32" if dtype == "float32" else "float16")
    if key not in info.memory_bytes or (scheme and dtype != "float32") or (scheme == "as stored" and quantize):
        known = ", ".join(info.memory_bytes) or "nothing that is known"
        asked = " and ".join(one for one in (quantize, dtype) if one)
        raise InputError(f"{info.path} cannot be loaded as {asked}; it can be as {known}.")
    weights, caches = info.memory_bytes[key], 0
    if info.kv_bytes_per_token and info.context_length:
        tokens = max(CACHE_BYTES // info.kv_bytes_per_token, LEAST_TOKENS)
        kept = min(tokens, MOST_RUNNING * info.context_length) * info.kv_bytes_per_token
        # Counted in float32; narrower ones are as many tokens. Beside codes a GPU keeps them in 16 bits.
        caches = math.ceil(kept / (1 if dtype == "float32" and not (scheme and on_gpu) else 2))
    return {"weights": weights, "keys_and_values": caches, "total": weights + caches}
