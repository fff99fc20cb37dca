"""What the server says of itself: its models, and whether it accepts requests."""

from __future__ import annotations

from typing import Literal

from tutti.serve.schemas.base import ResponseBody


class ModalitiesBody(ResponseBody):
    """What goes in and what comes out."""

    input: list[str]
    output: list[str]


class ModelBody(ResponseBody):
    """A model; its fields are those of OpenAI's list, of vLLM's and of Anthropic's together."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "tutti"
    root: str
    """The model that answers: another id than `id` where this is an alias."""
    parent: None = None
    max_model_len: int | None = None
    """Longest prompt and answer together, in tokens; null where the model does not tell."""
    modalities: ModalitiesBody
    capabilities: list[str]
    """What it can be asked for: `chat`, `embeddings`, `transcription`, `tools`."""
    type: Literal["model"] = "model"
    display_name: str
    created_at: str
    max_input_tokens: int | None = None
    lifecycle: Literal["active"] = "active"


class ModelsResponse(ResponseBody):
    """The models served."""

    object: Literal["list"] = "list"
    data: list[ModelBody]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None


class HealthResponse(ResponseBody):
    """Whether requests are accepted."""

    status: Literal["ok", "draining"]
