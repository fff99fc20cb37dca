"""Conversations with pictures in them, for models that read a picture as tokens among the words.

Reference implementation: the processors of `transformers`: the chat template writes a placeholder for each picture,
which is then written out as many times as the picture takes tokens.
We differ in: special tokens, and placeholders, that people spell out in their texts stay text.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError
from tutti.processing.prompt import Decoded, Decoding, MediaInput, Prompt, TaughtDialogue, ToolUse, Turns
from tutti.processing.text import TextProcessor, Words, check_taught, check_turns, continued_pair, ended, taught_text


@dataclass(frozen=True, kw_only=True)
class PictureProcessor(TextProcessor):
    """A tokenizer and a chat template, for models that accept pictures beside text. Families make them ready."""

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Pictures as they are."""
        return {"image": Decoding()}

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8."""
        if modality == "image" and isinstance(decoded, np.ndarray):
            return self.picture(decoded)
        return super().prepare(modality, decoded)

    @abstractmethod
    def picture(self, pixels: NDArray[np.uint8]) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → the trunk's arrays."""


@dataclass(frozen=True, kw_only=True)
class VisionProcessor(PictureProcessor):
    """A tokenizer, a chat template and the placeholder of pictures. Families add how a picture is made ready."""

    image_token: str
    """Placeholder of one token of a picture."""

    def written(self, medium: MediaInput) -> tuple[str, Sequence[MediaInput]]:
        """What stands for a medium in the prompt, and the media that fill its placeholders."""
        return self.image_token * medium.tokens, [medium]

    def content(self, pieces: Sequence[str | MediaInput], words: Words) -> Any:
        """A turn as multimodal templates expect it. For what is no image they have no place, so it stands as text."""
        return [
            {"type": "image"} if _is_image(piece) else {"type": "text", "text": words.hide(piece)} for piece in pieces
        ]

    def continued(self, pieces: Sequence[str | MediaInput]) -> str:
        """A single turn without a template."""
        return "\n".join(piece if isinstance(piece, str) else self.image_token for piece in pieces)

    def written_prompt(self, turns: Turns, use: ToolUse) -> Prompt:
        """A conversation as token ids, ready for the model's turn.

        Without a chat template the model continues the only turn, a line a piece.

        Raises:
            InputError: The conversation is empty, or the template has no place for its media.
            UnsupportedTask: There are several turns and no template that says how to write them.
        """
        check_turns(self.chat, [(role, _text(pieces)) for role, pieces in turns])
        words = Words(self.tokenizer, (self.image_token,))
        if self.chat is None:
            text = self.continued([item if _is_image(item) else words.hide(item) for item in turns[0][1]])
        else:
            text = self.render([(role, self.content(pieces, words)) for role, pieces in turns], use, words)
        text, media = self._expanded(text, words, _images(turns))
        return self._placed(words.encode(text, add_special=self._adds_special(text)), media)

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A whole conversation as token ids, and which of them the assistant says. Errors as for `Processor`."""
        check_taught([(role, _text(pieces)) for role, pieces in turns], one_question=self.chat is None)
        words = Words(self.tokenizer, (self.image_token,))
        if self.chat is None:
            question = self.continued([item if _is_image(item) else words.hide(item) for item in turns[0][1]])
            text = continued_pair(question, words.hide(_text(turns[1][1])), words)
        else:
            messages = [{"role": role, "content": self.content(pieces, words)} for role, pieces in turns]
            text = taught_text(self.chat, messages, words)
        text, media = self._expanded(text, words, _images(turns))
        pieces, said = words.encode_said(text, add_special=self._adds_special(text))
        return ended(TaughtDialogue(self._placed(pieces, media), said), self.eos_ids)

    def _adds_special(self, text: str) -> bool:
        """Whether the tokenizer adds what begins a text: not where the template has written it."""
        bos = self.chat.special_tokens.get("bos_token") if self.chat else None
        return not (bos and text.startswith(bos))

    def _expanded(self, text: str, words: Words, images: Sequence[MediaInput]) -> tuple[str, list[MediaInput]]:
        """Write out what stands for each medium, in the order in which they stand in the text."""
        around = re.split(f"{re.escape(self.image_token)}|{words.places}", text)
        if (places := around[1::2].count(None)) != len(images):
            raise InputError(
                f"The chat template has places for {places} of {len(images)} images; "
                "it is of another model, or does not take them in such turns."
            )
        media: list[MediaInput] = []
        pieces, left = [around[0]], iter(images)
        for number, behind in zip(around[1::2], around[2::2], strict=True):
            written, parts = self.written(next(left) if number is None else words.media[int(number)])
            pieces += [written, behind]
            media += parts
        return "".join(pieces), media

    def _placed(self, pieces: list[tuple[list[int], bool]], media: Sequence[MediaInput]) -> Prompt:
        """Find the placeholders of the template, and give each medium as many as it takes, in order."""
        ids = np.array([token for piece, _ in pieces for token in piece], np.int64)
        ours = np.repeat([by_template for _, by_template in pieces], [len(piece) for piece, _ in pieces])
        places = np.flatnonzero(ours & (ids == self.tokenizer.token_id(self.image_token)))
        firsts = np.cumsum([0, *(medium.tokens for medium in media)])
        if len(places) != firsts[-1]:
            raise InputError(f"The prompt has {len(places)} places for {firsts[-1]} tokens of media; expected as many.")
        return Prompt(ids, tuple(media), tuple(int(places[first]) for first in firsts[:-1]))


def _text(pieces: Sequence[str | MediaInput]) -> str:
    return "\n".join(piece for piece in pieces if isinstance(piece, str))


def _images(turns: Turns) -> list[MediaInput]:
    return [piece for _, pieces in turns for piece in pieces if isinstance(piece, MediaInput) and _is_image(piece)]


def _is_image(piece: str | MediaInput) -> bool:
    return isinstance(piece, MediaInput) and piece.modality == "image"
