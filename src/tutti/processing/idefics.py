"""Pictures and conversations to the inputs of Flamingo-type models: words and pictures alternate, examples come first.

Reference implementation: `transformers`, `IdeficsProcessor`, and the dialogues on its model cards.
We differ in: special tokens that people spell out in their texts stay text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tutti.errors import InputError, UnsupportedConfig
from tutti.processing.images import ImageProcessor, Pixels
from tutti.processing.prompt import MediaInput, Prompt, TaughtDialogue, Turns, View, media_digest
from tutti.processing.text import Words, check_taught, ended
from tutti.processing.vision import PictureProcessor

IMAGE, AROUND, END = "<image>", "<fake_token_around_image>", "<end_of_utterance>"
"""A picture, what stands on both its sides, and what ends a turn in checkpoints that were tuned on dialogues."""
_LABELS = {"user": "User:", "assistant": "Assistant:", "system": ""}


def image_processor(values: Mapping[str, Any]) -> ImageProcessor:
    """Read `preprocessor_config.json`; published files have `image_size`, newer ones `size`.

    Raises:
        UnsupportedConfig: A key is unknown or missing, or a value is not computed here.
    """
    values = dict(values)
    side = values.pop("image_size", None)
    if (channels := values.pop("image_num_channels", 3)) != 3:
        raise UnsupportedConfig(f"preprocessor_config.json has image_num_channels {channels!r}; pictures have 3.")
    if values.get("size") is None and side is not None:
        values["size"] = {"height": side, "width": side}
    return ImageProcessor.from_config(values)


@dataclass(frozen=True, kw_only=True)
class IdeficsProcessor(PictureProcessor):
    """Model inputs for `idefics`.

    Raises:
        UnsupportedConfig: The tokenizer or the preprocessor settings do not suit the model.
    """

    images: ImageProcessor
    image_size: int
    """S, the side of the model's pictures in pixels."""
    states: int
    """States that the model makes of a picture."""
    bos_token: str
    """Token that begins a text."""
    known_tokens: int
    """How many tokens the model knows."""

    def __post_init__(self) -> None:
        self.images.check_side(self.image_size)
        count, special = self.tokenizer.vocab_size, self.tokenizer.special_tokens
        if count > self.known_tokens or IMAGE not in special or AROUND not in special:
            raise UnsupportedConfig(
                f"The tokenizer has {count} tokens, and the model knows {self.known_tokens}; expected no more, and "
                f"{IMAGE} and {AROUND} among the special ones: tokenizer.json is of another model."
            )

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture; it takes up to three places in the prompt. Shapes: (H, W, 3) uint8 → {"pixel_values": (3, S, S)}.

        Raises:
            InputError: The array is not a picture.
        """
        arrays = {"pixel_values": self.images(pixels)}
        return MediaInput("image", arrays, 3, media_digest(arrays))

    @cached_property
    def call_form(self) -> None:
        """Conversations are written without a template, and so without tools."""
        return None

    def prompt(self, turns: Turns) -> Prompt:
        """A conversation as token ids, ready for the model's turn: examples are turns like others.

        Each token looks at the last picture before it.

        Raises:
            InputError: The conversation does not end with a user's turn of words or pictures.
        """
        if not turns or turns[-1][0] != "user" or not any(turns[-1][1]):
            raise InputError("The conversation does not end with a user's turn; expected a question to answer.")
        words = Words(self.tokenizer)
        written = "".join([*self._written(turns, words), "\n" + _LABELS["assistant"]])
        return self._placed(turns, words.encode_said(written)[0])

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A whole conversation as token ids, and which of them the assistant says. Errors as for `Processor`."""
        check_taught(_texts(turns))
        words = Words(self.tokenizer)
        pieces, said = words.encode_said("".join(self._written(turns, words)))
        return ended(TaughtDialogue(self._placed(turns, pieces), said), self.eos_ids)

    def _placed(self, turns: Turns, pieces: list[tuple[list[int], bool]]) -> Prompt:
        """Find the places of the pictures, and who looks at them."""
        ids = np.array([token for piece, _ in pieces for token in piece], np.int64)
        ours = np.repeat([by_template for _, by_template in pieces], [len(piece) for piece, _ in pieces])
        marks = np.flatnonzero(ours & (ids == self.tokenizer.token_id(IMAGE))).tolist()
        media: list[MediaInput] = []
        starts: list[int] = []
        views: list[View] = []
        for piece, mark, following in zip(_media(turns), marks, [*marks, len(ids)][1:], strict=True):
            # Pictures side by side share the token between them.
            start = mark if starts and starts[-1] + media[-1].tokens == mark else mark - 1
            media.append(replace(piece, tokens=mark + 2 - start))
            starts.append(start)
            views.append(View(len(views), mark, following, self.states))
        return Prompt(ids, tuple(media), tuple(starts), tuple(views))

    def _written(self, turns: Turns, words: Words) -> Iterator[str]:
        """The conversation as text, piece by piece."""
        end = END if END in self.tokenizer.special_tokens else ""
        yield self.bos_token
        for number, (role, pieces) in enumerate(turns):
            yield "\n" * bool(number) + _LABELS[role]
            said = role == "assistant"
            yield words.begin * said
            last: str | MediaInput | None = None
            for piece in pieces:
                if isinstance(piece, MediaInput):
                    yield IMAGE + AROUND if isinstance(last, MediaInput) else AROUND + IMAGE + AROUND
                else:
                    before = {str: "\n", MediaInput: ""}.get(type(last), " " * bool(_LABELS[role]))
                    yield before + words.hide(piece.strip(" "))
                last = piece
            yield end + words.end * said


def _texts(turns: Turns) -> list[tuple[str, str]]:
    return [(role, "".join(piece for piece in pieces if isinstance(piece, str))) for role, pieces in turns]


def _media(turns: Turns) -> Sequence[MediaInput]:
    return [piece for _, pieces in turns for piece in pieces if isinstance(piece, MediaInput)]
