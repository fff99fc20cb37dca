"""`/v1/embeddings`: OpenAI's dialect, and vLLM's for media."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tutti.content import Embeddings, Part, Text
from tutti.errors import InputError
from tutti.serve.dialects.shared import Open, parts_of, usage_of
from tutti.serve.responses import unless_gone
from tutti.serve.schemas import embeddings as schemas
from tutti.serve.service import Service

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EmbeddingRoutes:
    """The route of the dialect.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def add_to(self, router: APIRouter) -> None:
        """Add the route."""
        response = schemas.EmbeddingsResponse
        router.add_api_route("/v1/embeddings", self.embeddings, methods=["POST"], response_model=response)

    async def embeddings(self, body: schemas.EmbeddingsRequest, request: Request) -> Response:
        """Place words and media in one space: a vector for each input, or for each part of the messages."""
        service = self.service
        service.check_model(body.model)
        work = service.embed(
            lambda: embedding_parts(body, service.opener.open), request.state.tenant, truncate=bool(body.truncate)
        )
        found = await unless_gone(request.receive, work)
        return JSONResponse(embeddings_response(found, service.name, body).model_dump(exclude_none=True))


def embedding_parts(body: schemas.EmbeddingsRequest, open_address: Open) -> list[Part]:
    """What is to be embedded, in order.

    Raises:
        InputError: There is nothing, or two things where one is expected, or a medium cannot be opened.
    """
    if (body.input is None) == (body.messages is None):
        raise InputError('Give either "input" (words) or "messages" (words and media).')
    if body.input is not None:
        return [Text(text) for text in ([body.input] if isinstance(body.input, str) else body.input)]
    parts: list[Part] = []
    for place, message in enumerate(body.messages or ()):
        parts += parts_of(message.content, open_address, f"messages[{place}].content")
    if len(parts) > schemas.MOST_INPUTS:
        raise InputError(f"The messages hold {len(parts)} parts; expected at most {schemas.MOST_INPUTS}.")
    return parts


def embeddings_response(found: Embeddings, model: str, body: schemas.EmbeddingsRequest) -> schemas.EmbeddingsResponse:
    """Vectors in the dialect.

    Raises:
        InputError: More dimensions were asked for than there are.
    """
    vectors = _shortened(found.vectors, body.dimensions)
    data = [
        schemas.EmbeddingBody(
            index=index,
            embedding=base64.b64encode(row.astype("<f4").tobytes()).decode()
            if body.encoding_format == "base64"
            else [float(value) for value in row],
        )
        for index, row in enumerate(vectors)
    ]
    warnings = [f"input {note.index}: {note}" for note in found.notes] or None
    return schemas.EmbeddingsResponse(data=data, model=model, usage=usage_of([found.usage]), warnings=warnings)


def _shortened(vectors: NDArray[np.float32], dimensions: int | None) -> NDArray[np.float32]:
    """The first so many numbers of each row, at length one again. Shapes: (N, D) → (N, dimensions)."""
    import numpy as np

    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    if dimensions > vectors.shape[1]:
        raise InputError(f"dimensions is {dimensions}; this model has {vectors.shape[1]}.")
    short = vectors[:, :dimensions]
    lengths = np.linalg.norm(short, axis=1, keepdims=True)
    unit: NDArray[np.float32] = short / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
