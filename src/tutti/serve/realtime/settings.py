"""What a client of `/v1/realtime` may set, as `session.update` gives it. Source: OpenAI's Realtime API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tutti.serve.errors import ErrorStatus, Refusal

DEFAULT_TOKENS = 256
"""Of an answer, where the client sets no limit."""
Values = TypeVar("Values", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class PcmFormat(_Body):
    """Samples of 16 bits, little-endian, mono."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: int = Field(default=24_000, ge=8_000, le=48_000)


class TranscriptionSettings(_Body):
    """That transcripts are sent, and how they are made."""

    model: str | None = Field(default=None, max_length=200)
    language: str | None = Field(default=None, max_length=40)
    prompt: str = Field(default="", max_length=2_000)


class TurnDetection(_Body):
    """That pauses end a turn."""

    type: Literal["server_vad", "semantic_vad"]
    create_response: bool = True
    interrupt_response: bool = True


class InputSettings(_Body):
    """Of the sound that comes in."""

    format: PcmFormat = PcmFormat()
    transcription: TranscriptionSettings | None = None
    turn_detection: TurnDetection | None = TurnDetection(type="server_vad")


class SoundSettings(_Body):
    """Sound comes in, and none goes out."""

    input: InputSettings = InputSettings()


class WatchSettings(_Body):
    """What is watched beside the words; not in OpenAI's API."""

    alerts: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default=[], max_length=20)
    """Things that are reported when they are seen, heard or said."""
    see: bool = False
    """Whether what is said is about the pictures that are shown."""
    pictures_a_second: float = Field(default=2.0, ge=0.1, le=2.0)
    """More are passed over."""


class SessionSettings(_Body):
    """Of one session."""

    type: Literal["realtime", "transcription"] = "realtime"
    instructions: str = Field(default="", max_length=100_000)
    output_modalities: list[Literal["text"]] = ["text"]
    max_output_tokens: int | Literal["inf"] = "inf"
    tools: list[Any] = Field(default=[], max_length=0)
    audio: SoundSettings = SoundSettings()
    tutti: WatchSettings | None = None

    @property
    def max_tokens(self) -> int:
        """Of one answer."""
        return tokens_of(self.max_output_tokens)

    def updated(self, values: object) -> SessionSettings:
        """These with what a client gives in place of what was set.

        Raises:
            Refusal: 400; the message names the field.
        """
        if not isinstance(values, dict):
            raise invalid("session is no object; expected the fields that are to change.", "session")
        return read(SessionSettings, _merged(self.model_dump(), values), "session")

    def body(self, identity: str, model: str) -> dict[str, Any]:
        """As the events of a session show them."""
        return {"id": identity, "object": "realtime.session", "model": model, **self.model_dump()}


def tokens_of(value: object) -> int:
    """The most tokens of an answer.

    Raises:
        Refusal: 400.
    """
    if value in (None, "inf"):
        return DEFAULT_TOKENS
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65_536:
        raise invalid('max_output_tokens is no count; expected 1 to 65536, or "inf".', "max_output_tokens")
    return value


def read(kind: type[Values], values: Mapping[str, Any], where: str) -> Values:
    """Values of a client.

    Raises:
        Refusal: 400; the message names the field.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join([where, *(str(one) for one in first["loc"])])
        raise invalid(f"{field} cannot be taken: {first['msg']}.", field) from None


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> Refusal:
    """An event that cannot be worked on."""
    return Refusal(ErrorStatus(400, "invalid_request_error", code), message, cause="event", param=param)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What is given replaces what was, objects field by field."""
    both = dict(old)
    for name, value in new.items():
        before = both.get(name)
        both[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both
