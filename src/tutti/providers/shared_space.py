"""What embedding needs of a model: a shared space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tutti.errors import UnsupportedTask

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@runtime_checkable
class SharedSpace(Protocol):
    """A model with a shared space. Implementations: `Omni`, `CLIPModel` and `ImageBindModel` of `tutti.models`."""

    def sharpness(self, modality: str) -> float:
        """Inverse temperature between texts and media of a modality."""
        ...

    def embed_text(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Shapes: both (B, T) → (B, D), unit rows."""
        ...

    def embed_media(self, modality: str, arrays: dict[str, torch.Tensor]) -> torch.Tensor:
        """Shapes: arrays with a batch axis → (B, D), unit rows."""
        ...


def points_of(points: torch.Tensor) -> NDArray[np.float32]:
    """Points (N, D) of any device and precision as arrays; those of 16 bits are brought back to length one."""
    if points.element_size() < 4:
        points = points.float()
        points = points / points.norm(dim=-1, keepdim=True)
    array: NDArray[np.float32] = points.cpu().numpy()
    return array


def shared_space(model: torch.nn.Module) -> SharedSpace:
    """The model, if it has a shared space.

    Raises:
        UnsupportedTask: It has none.
    """
    if not isinstance(model, SharedSpace):
        raise UnsupportedTask(f"{type(model).__name__} has no shared space to embed in; use tutti-mini.")
    return model
