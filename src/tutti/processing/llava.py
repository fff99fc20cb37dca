"""Pictures and conversations to the inputs of LLaVA-1.5."""

from __future__ import annotations

from dataclasses import dataclass

from tutti.processing.images import ImageProcessor, Pixels
from tutti.processing.prompt import MediaInput, media_digest
from tutti.processing.vision import VisionProcessor


@dataclass(frozen=True, kw_only=True)
class LlavaProcessor(VisionProcessor):
    """Model inputs for `llava`.

    Raises:
        UnsupportedConfig: The preprocessor settings do not suit the model.
    """

    images: ImageProcessor
    image_size: int
    """S, the side of the model's pictures in pixels."""
    picture_tokens: int
    """N of a picture."""

    def __post_init__(self) -> None:
        self.images.check_side(self.image_size)

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → {"pixel_values": (3, S, S)}.

        Raises:
            InputError: The array is not a picture.
            CapacityError: The picture is too long and narrow.
        """
        arrays = {"pixel_values": self.images(pixels)}
        return MediaInput("image", arrays, self.picture_tokens, media_digest(arrays))
