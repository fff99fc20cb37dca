"""Embeddings of the OpenAI dialect, and of vLLM's, which takes messages too."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from tutti.serve.schemas.base import Bookkeeping, LongText, NamedRequest, RequestBody, ResponseBody, Unset
from tutti.serve.schemas.chat import UsageBody
from tutti.serve.schemas.parts import ContentPart

MOST_INPUTS = 2048
"""Most inputs of one request."""


class EmbeddingsMessage(RequestBody):
    """An input of several parts: each part becomes a vector of its own."""

    role: Literal["user"] = "user"
    """`user`."""
    content: LongText | Annotated[list[ContentPart], Field(min_length=1, max_length=MOST_INPUTS)]
    """Words, or parts that are placed in the space one by one."""


class EmbeddingsRequest(NamedRequest):
    """What to place in the shared space: words as input, or media and words as messages."""

    input: LongText | Annotated[list[LongText], Field(min_length=1, max_length=MOST_INPUTS)] | None = None
    """A text, or up to 2,048 of them."""
    messages: Annotated[list[EmbeddingsMessage], Field(min_length=1, max_length=MOST_INPUTS)] | None = None
    """Texts and media, each part a vector; in the place of `input`."""
    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    """The first so many numbers of each vector, at length one again."""
    encoding_format: Literal["float", "base64"] | None = None
    """Numbers, or base64 of little-endian float32."""
    truncate: bool | None = None
    """Embed of a text that is too long its beginning; otherwise it is refused."""
    truncate_prompt_tokens: Unset = None
    input_type: Bookkeeping = None
    priority: Bookkeeping = None

    @field_validator("input", mode="before")
    @classmethod
    def _said_why_not(cls, value: Any) -> Any:
        """Refuse what is no text with a sentence of its own."""
        if not isinstance(value, list):
            return value
        if not value:
            raise PydanticCustomError("no_input", "is an empty list; expected at least one text")
        if len(value) > MOST_INPUTS:
            raise PydanticCustomError(
                "too_many",
                "holds {found} texts; expected at most {most} a request",
                {"found": len(value), "most": MOST_INPUTS},
            )
        if any(_is_ids(one) for one in value):
            raise PydanticCustomError(
                "token_ids",
                "holds token ids, and those of another tokenizer would be other words here; send the texts themselves "
                "(LangChain: check_embedding_ctx_length=False)",
            )
        return value


def _is_ids(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, list) and all(isinstance(one, int) for one in value))


class EmbeddingBody(ResponseBody):
    """One vector: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsResponse(ResponseBody):
    """The vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingBody]
    model: str
    usage: UsageBody
    warnings: list[str] | None = None
    """Texts that are in their vectors in part only; absent where all are whole."""
