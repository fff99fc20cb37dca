"""Rotary positions in the Hugging Face convention: the two halves of a head turn together.

Source: Su et al. 2021 (RoFormer), section 3.4. The paper pairs neighbours (0, 1), (2, 3), …; checkpoints in the
Hugging Face layout pair entry i with entry i + E/2, which is the same up to a permutation of the rows of q and k.
"""

from __future__ import annotations

import torch
from torch import Tensor


def inverse_frequencies(head_width: int, theta: float, device: torch.device | None = None) -> Tensor:
    """theta^(-2i/E) for i in 0 … E/2 - 1, in radians per position. Shape (E/2,), float32."""
    return 1.0 / theta ** (torch.arange(0, head_width, 2, dtype=torch.float32, device=device) / head_width)


def rotary_angles(positions: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position's angles, the sine negative for the first half of a head.

    Shapes: positions (B, T) int64, frequencies (E/2,) → two of (B, T, 1, E), ready to broadcast over heads.
    """
    angles = (positions[..., None].float() * frequencies)[..., None, :]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Turn queries or keys by their positions. Shapes: x (B, T, H, E) → the same."""
    cos, sin = angles
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(x * cos.to(x.dtype), swapped, sin.to(x.dtype))
