"""Decoded media and words to the inputs of `tutti_omni`, within what its preprocessor settings and layout say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, InputError, UnsupportedConfig, UnsupportedTask
from tutti.media.frame_sampling import UniformFrames
from tutti.media.limits import PADDING_S
from tutti.media.video import Clip
from tutti.processing.audio import LogMel, Samples
from tutti.processing.images import ImageProcessor, Pixels
from tutti.processing.margins import without_margins
from tutti.processing.prompt import (
    Decoded,
    Decoding,
    MediaInput,
    Processor,
    Prompt,
    TaughtDialogue,
    Turns,
    media_digest,
)
from tutti.processing.text import check_taught
from tutti.processing.text_meter import TextMeter
from tutti.processing.tokenizer import Tokenizer


class OmniLayout(Protocol):
    """What the model's configuration tells: how many tokens a medium takes, and which tokens mark structure."""

    @property
    def placeholder_ids(self) -> Mapping[str, int]:
        """Modality → token that stands for a medium's tokens."""
        ...

    @property
    def user_id(self) -> int:
        """Token that opens a user's turn."""
        ...

    @property
    def assistant_id(self) -> int:
        """Token that opens the model's turn."""
        ...

    @property
    def eos_id(self) -> int:
        """Token that ends the model's turn."""
        ...

    @property
    def max_text_tokens(self) -> int:
        """Longest text that is embedded, in tokens."""
        ...

    def picture_tokens(self) -> int:
        """N of a picture."""
        ...

    def sound_tokens(self, frames: int) -> int:
        """N of a log-mel with so many frames."""
        ...

    def clip_tokens(self, frames: int, sound_frames: int) -> int:
        """N of a clip with so many pictures and log-mel frames."""
        ...


@dataclass(frozen=True)
class OmniProcessor(Processor):
    """Model inputs for `tutti_omni`."""

    tokenizer: Tokenizer
    images: ImageProcessor
    sounds: LogMel
    layout: OmniLayout
    frames: int
    """F: pictures taken from a video."""
    cuts_margins: bool = False
    """Whether a picture with wide margins comes with another without them, from which its point and names are made."""

    @cached_property
    def text_meter(self) -> TextMeter:
        """Measures texts to embed."""
        return TextMeter(self.tokenizer, self.layout.max_text_tokens)

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return frozenset({self.layout.eos_id})

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Pictures, recordings, and frames of videos with their sound."""
        sound = Decoding(sample_rate_hz=self.sounds.sampling_rate, max_samples=self.sounds.max_samples)
        return {
            "image": Decoding(side=max(self.images.size.values())),
            "audio": sound,
            "video": replace(sound, frames=UniformFrames(self.frames)),
        }

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A picture, a recording or a video."""
        if isinstance(decoded, Clip):
            return self.clip(decoded.frames, decoded.sound.samples if decoded.sound else None)
        ways: Mapping[str, Callable[[NDArray[Any]], MediaInput]] = {"image": self.picture, "audio": self.sound}
        if modality in ways and isinstance(decoded, np.ndarray):
            return ways[modality](decoded)
        return super().prepare(modality, decoded)

    def decode(self, ids: list[int]) -> str:
        """The text of an answer."""
        return self.tokenizer.decode(ids)

    def json_tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        return self.tokenizer

    @classmethod
    def from_config(cls, tokenizer: Tokenizer, values: Mapping[str, Any], layout: OmniLayout) -> OmniProcessor:
        """Read `preprocessor_config.json`: settings of `image` and `audio`, and `video: {"frames": F}`.

        Beside them `"margins": "cut"` may stand, which sets `cuts_margins`.

        Raises:
            UnsupportedConfig: One of the three is missing, or a setting is unknown.
        """
        values = dict(values)
        if (margins := values.pop("margins", None)) not in (None, "cut"):
            raise UnsupportedConfig(f'margins is {margins!r}; expected "cut", or no such key.')
        video = values.get("video")
        if set(values) != {"image", "audio", "video"} or not isinstance(video, Mapping) or set(video) != {"frames"}:
            raise UnsupportedConfig(
                f"preprocessor_config.json has the keys {', '.join(sorted(values))}; "
                'expected "image", "audio" and "video", the last with "frames".'
            )
        if type(video["frames"]) is not int or video["frames"] < 1:
            raise UnsupportedConfig(f"video has frames {video['frames']!r}; expected a whole number above zero.")
        images, sounds = ImageProcessor.from_config(values["image"]), LogMel.from_config(values["audio"])
        return cls(tokenizer, images, sounds, layout, video["frames"], margins == "cut")

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → {"pixel_values": (3, S, S)}.

        With wide margins of one colour, and `cuts_margins`, "closer_pixel_values" are of what lies within them.
        """
        arrays = {"pixel_values": self.images(pixels)}
        if self.cuts_margins and (closer := without_margins(pixels)) is not None:
            arrays["closer_pixel_values"] = self.images(closer)
        return self._input("image", arrays, self.layout.picture_tokens())

    def sound(self, samples: Samples) -> MediaInput:
        """A recording at `sounds.sampling_rate`. Shapes: (S,) float32 → {"input_features": (M, frames)}.

        Raises:
            CapacityError: It is longer than the model hears at a time.
        """
        features = self._log_mel(samples)
        return self._input("audio", {"input_features": features}, self.layout.sound_tokens(features.shape[1]))

    def clip(self, frames: Pixels, samples: Samples | None) -> MediaInput:
        """Frames with the sound that goes with them. Shapes: (F, H, W, 3) uint8 and (S,) float32 or None.

        Raises:
            CapacityError: The sound is longer than the model hears at a time.
        """
        arrays = {"pixel_values": np.stack([self.images(frame) for frame in frames])}
        if samples is not None:
            arrays["input_features"] = self._log_mel(samples)
        heard = arrays["input_features"].shape[1] if samples is not None else 0
        return self._input("video", arrays, self.layout.clip_tokens(len(frames), heard))

    def prompt(self, turns: Turns) -> Prompt:
        """A conversation as token ids, ready for the model's turn.

        Within a turn media come first, as in training.

        Raises:
            InputError: The conversation does not end with the user's turn.
            UnsupportedTask: The decoder does not hear of a modality.
        """
        if not turns or turns[-1][0] != "user":
            raise InputError("The conversation does not end with a user's turn; expected a question to answer.")
        prompt = self._written(turns).prompt
        return replace(prompt, input_ids=np.append(prompt.input_ids, self.layout.assistant_id))

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A whole conversation as token ids, and which of them the assistant says. Errors as for `Processor`."""
        texts = [(role, " ".join(piece for piece in pieces if isinstance(piece, str))) for role, pieces in turns]
        check_taught(texts)
        return self._written(turns)

    def _written(self, turns: Turns) -> TaughtDialogue:
        """The conversation as token ids; what the assistant says ends with the end of its turn."""
        ids: list[int] = []
        said: list[bool] = []
        media: list[MediaInput] = []
        starts: list[int] = []
        for role, pieces in turns:
            ids.append(self.layout.assistant_id if role == "assistant" else self.layout.user_id)
            for piece in pieces:
                if not isinstance(piece, str):
                    starts.append(len(ids))
                    media.append(piece)
                    ids += [self._placeholder(piece.modality)] * piece.tokens
            said += [False] * (len(ids) - len(said))
            ids += self.tokenizer.encode(" ".join(piece for piece in pieces if isinstance(piece, str)))
            if role == "assistant":
                ids.append(self.layout.eos_id)
            said += [role == "assistant"] * (len(ids) - len(said))
        return TaughtDialogue(Prompt(np.array(ids, np.int64), tuple(media), tuple(starts)), np.array(said, bool))

    def texts(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Texts to embed.

        Returns:
            {"input_ids": (B, T), "attention_mask": (B, T)}, padded with 0 to the longest.

        Raises:
            InputError: A text is empty, or nothing of it is in the vocabulary.
            CapacityError: A text is longer than the model embeds.
        """
        self.text_meter.check(texts)
        rows = [self.tokenizer.encode(text) for text in texts]
        if not all(rows):
            raise InputError("An empty text was given; expected words.")
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def _log_mel(self, samples: Samples) -> NDArray[np.float32]:
        longest = self.sounds.max_samples
        if longest < len(samples) <= longest + round(PADDING_S * self.sounds.sampling_rate):
            samples = samples[:longest]  # what a codec added
        if len(samples) > longest:
            rate = self.sounds.sampling_rate
            raise CapacityError(
                f"The sound lasts {len(samples) / rate:.1f} s; this model hears at most {longest / rate:.0f} s at a "
                "time: cut it into pieces."
            )
        return self.sounds(samples)

    def _placeholder(self, modality: str) -> int:
        if modality not in self.layout.placeholder_ids:
            known = ", ".join(self.layout.placeholder_ids)
            raise UnsupportedTask(f"This model does not hear of {modality} in a conversation; it takes {known}.")
        return self.layout.placeholder_ids[modality]

    @staticmethod
    def _input(modality: str, arrays: dict[str, NDArray[np.float32]], tokens: int) -> MediaInput:
        return MediaInput(modality, arrays, tokens, media_digest(arrays))
