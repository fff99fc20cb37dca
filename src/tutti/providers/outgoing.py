"""What leaves the machine: media as a provider accepts them, without metadata, and told in words before they go.

Pictures and sounds are decoded and encoded anew, so that nothing of a file but what is seen and heard is sent:
no place, no device, no comment. Videos are copied stream by stream into a container without metadata; animations and
arrays are encoded.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tutti.content import Audio, Conversation, Image, Media, Modality, Part, Text, ToolCall
from tutti.errors import CapacityError, InputError, UnsupportedTask
from tutti.media import MediaDecoder
from tutti.media.sniff import AVIF, FLAC, GIF, HEIC, HEIF, JPEG, MATROSKA, MP3, MP4, OGG, PNG, WAV, WEBP, Format, sniff
from tutti.media.sources import array_of, decoding, opened

if TYPE_CHECKING:
    from tutti.content import Video

MIME: dict[Format, str] = {
    JPEG: "image/jpeg",
    PNG: "image/png",
    WEBP: "image/webp",
    GIF: "image/gif",
    AVIF: "image/avif",
    HEIC: "image/heic",
    HEIF: "image/heif",
    WAV: "audio/wav",
    MP3: "audio/mp3",
    FLAC: "audio/flac",
    OGG: "audio/ogg",
    MP4: "video/mp4",
    MATROSKA: "video/webm",
}


@dataclass(frozen=True, kw_only=True)
class Accepts:
    """What a provider takes, as it documents it."""

    image_side_px: int = 0
    """Longest side of a picture that the provider uses; larger ones are scaled down here. 0 takes no pictures."""
    pictures: tuple[Format, ...] = (JPEG, PNG, WEBP)
    """Formats of pictures that may be sent as they are."""
    audio_rate_hz: int = 0
    """Rate at which sounds are sent, in hertz; 0 takes no sounds."""
    video: bool = False
    """Whether it takes MP4 and WebM."""
    medium_bytes: int = 20_000_000
    """Most bytes of one medium."""
    request_bytes: int = 50_000_000
    """Most bytes of all media of a request."""
    media: int = 100
    """Most media of a request."""
    says: str = "text"
    """All of it in words."""

    def takes(self, modality: Modality) -> bool:
        """Whether media of a modality can be sent."""
        return bool({"image": self.image_side_px, "audio": self.audio_rate_hz, "video": self.video}.get(modality))

    def refused(self, name: str, modality: Modality) -> UnsupportedTask:
        """What to raise where a modality cannot be sent to the model of a name."""
        return UnsupportedTask(f"{name} takes {self.says}, and was given {modality}", "ask", modality)


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A medium as it will be sent."""

    modality: str
    mime: str
    data: bytes
    done: str
    """What was done to it, in words."""

    @property
    def base64(self) -> str:
        """The content as base64 text."""
        return base64.b64encode(self.data).decode()

    @property
    def data_url(self) -> str:
        """The content as a `data:` URL."""
        return f"data:{self.mime};base64,{self.base64}"

    @property
    def format(self) -> str:
        """The format's short name: png, wav, mp4."""
        return self.mime.partition("/")[2]

    def described(self) -> str:
        """What stands for the content where it is shown."""
        digest = hashlib.sha256(self.data).hexdigest()
        return f"<{self.mime}, {len(self.data):,} bytes, sha256 {digest[:16]}…, {self.done}>"


Piece = str | Outgoing


class OutgoingTurn(NamedTuple):
    """A turn as it will be sent."""

    role: str
    pieces: list[Piece]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def words(self) -> str:
        """Its texts, a line each."""
        return "\n".join(piece for piece in self.pieces if isinstance(piece, str))


def outgoing(
    conversation: Conversation, accepts: Accepts, decoder: MediaDecoder, name: str, keep_metadata: bool = False
) -> list[OutgoingTurn]:
    """A conversation as it will be sent: role, texts and media in their order, calls of tools.

    Args:
        conversation: What is asked.
        accepts: What the provider takes.
        decoder: Decodes the media.
        name: What to call the model in errors.
        keep_metadata: Send files that the provider takes as they are.

    Raises:
        InputError: A medium cannot be read.
        CapacityError: A medium is over a budget, or there is more than the provider takes.
        UnsupportedTask: The provider does not take a modality.
    """
    turns: list[OutgoingTurn] = []
    for message in conversation:
        pieces = [_piece(part, accepts, decoder, name, keep_metadata) for part in message.parts]
        turns.append(OutgoingTurn(message.role, pieces, message.tool_calls, message.tool_call_id))
    media = [piece for turn in turns for piece in turn.pieces if isinstance(piece, Outgoing)]
    if len(media) > accepts.media:
        raise CapacityError(f"There are {len(media)} media; {name} takes at most {accepts.media} in a request.")
    total = sum(len(medium.data) for medium in media)
    if total > accepts.request_bytes:
        raise CapacityError(
            f"The media have {total:,} bytes together; {name} takes at most {accepts.request_bytes:,}: send fewer."
        )
    return turns


def _piece(part: Part, accepts: Accepts, decoder: MediaDecoder, name: str, keep_metadata: bool) -> Piece:
    if isinstance(part, Text):
        return part.text
    if not accepts.takes(part.modality):
        raise accepts.refused(name, part.modality)
    if isinstance(part, Image):
        sent = _picture(part, accepts, decoder, keep_metadata)
    elif isinstance(part, Audio):
        sent = _sound(part, accepts, decoder, keep_metadata)
    else:
        sent = _film(cast("Video", part), decoder, keep_metadata)
    if len(sent.data) > accepts.medium_bytes:
        raise CapacityError(
            f"{part.name} would be sent as {len(sent.data):,} bytes; {name} takes at most "
            f"{accepts.medium_bytes:,} a medium: use a smaller one."
        )
    return sent


def _as_it_is(part: Media, decoder: MediaDecoder, formats: Sequence[Format]) -> Outgoing | None:
    if array_of(part) is not None:
        return None
    with opened(part, decoder.limits) as file:
        found = sniff(file)
        if found is None or found not in formats:
            return None
        return Outgoing(modality=part.modality, mime=MIME[found], data=file.read(), done="as it is, with its metadata")


def _picture(part: Image, accepts: Accepts, decoder: MediaDecoder, keep_metadata: bool) -> Outgoing:
    import numpy as np
    from PIL import Image as pillow

    from tutti.media.encoding import encode_picture

    kept = _as_it_is(part, decoder, accepts.pictures) if keep_metadata else None
    if kept:
        return kept
    pixels = decoder.image(part)
    picture = pillow.fromarray(pixels)
    done = ["metadata removed"]
    if max(picture.size) > accepts.image_side_px:
        before = picture.size
        picture.thumbnail((accepts.image_side_px, accepts.image_side_px), pillow.Resampling.LANCZOS)
        done.append(f"{before[0]} x {before[1]} scaled to {picture.size[0]} x {picture.size[1]}")
    lossy = _is(part, decoder, JPEG, AVIF, HEIC, HEIF)
    data = encode_picture(np.asarray(picture), "JPEG" if lossy else "PNG")
    if not lossy and len(data) > accepts.medium_bytes:
        lossy, data = True, encode_picture(np.asarray(picture), "JPEG")
        done.append("as JPEG, since as PNG it is too large")
    return Outgoing(modality="image", mime=MIME[JPEG if lossy else PNG], data=data, done=", ".join(done))


def _is(part: Media, decoder: MediaDecoder, *wanted: Format) -> bool:
    if array_of(part) is not None:
        return False
    with opened(part, decoder.limits) as file:
        return sniff(file) in wanted


def _sound(part: Audio, accepts: Accepts, decoder: MediaDecoder, keep_metadata: bool) -> Outgoing:
    import soundfile

    kept = _as_it_is(part, decoder, (WAV, MP3)) if keep_metadata else None
    if kept:
        return kept
    sound = decoder.sound(part)
    rate = min(accepts.audio_rate_hz, sound.sample_rate_hz)
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.resampled(rate).samples, rate, format="WAV", subtype="PCM_16")
    done = f"metadata removed, as mono WAV of {rate} Hz"
    return Outgoing(modality="audio", mime=MIME[WAV], data=buffer.getvalue(), done=done)


def _film(part: Video, decoder: MediaDecoder, keep_metadata: bool) -> Outgoing:
    from tutti.providers.video_export import encoded, remuxed

    kept = _as_it_is(part, decoder, (MP4, MATROSKA)) if keep_metadata else None
    if kept:
        return kept
    if array_of(part) is None:
        with opened(part, decoder.limits) as file:
            found = sniff(file)
            if found in (MP4, MATROSKA):
                with decoding(part.name, "a readable video"):
                    data = remuxed(file, found)
                return Outgoing(modality="video", mime=MIME[found], data=data, done="metadata removed, streams copied")
    data, frames = encoded(part, decoder)
    return Outgoing(modality="video", mime=MIME[MP4], data=data, done=f"metadata removed, {frames} frames as MP4")


def shown(value: Any) -> Any:
    """A payload as plain values in which content is described and not spelled out."""
    if isinstance(value, Outgoing):
        return value.described()
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def sent(value: Any, as_text: Any) -> Any:
    """A payload in which every medium has become what the wire wants of it.

    Args:
        value: Any nest of dicts and lists.
        as_text: Medium → what stands in its place.
    """
    if isinstance(value, Outgoing):
        return as_text(value)
    if isinstance(value, dict):
        return {key: sent(item, as_text) for key, item in value.items()}
    if isinstance(value, list):
        return [sent(item, as_text) for item in value]
    return value


def fingerprint(value: Any) -> str:
    """SHA-256 of a payload, media by their whole content."""

    def spelled(medium: Outgoing) -> str:
        return f"{medium.mime} {hashlib.sha256(medium.data).hexdigest()}"

    return hashlib.sha256(json.dumps(sent(value, spelled), sort_keys=True).encode()).hexdigest()


def split_system(turns: Sequence[OutgoingTurn]) -> tuple[str, list[OutgoingTurn]]:
    """The system's words, and the other turns, for providers that take them apart."""
    words = [piece for turn in turns if turn.role == "system" for piece in turn.pieces if isinstance(piece, str)]
    return "\n".join(words), [turn for turn in turns if turn.role != "system"]


def texts_only(parts: Sequence[Part], name: str) -> list[str]:
    """Words to embed.

    Raises:
        UnsupportedTask: There is a medium among them.
        InputError: One is empty.
    """
    texts = []
    for part in parts:
        if not isinstance(part, Text):
            raise UnsupportedTask(f"{name} embeds text only, and was given {part.modality}", "embed", part.modality)
        if not part.text.strip():
            raise InputError("An empty text was given; expected words.")
        texts.append(part.text)
    return texts
