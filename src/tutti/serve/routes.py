"""The routes of the server: those of each dialect, and what the server says of itself."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi.responses import PlainTextResponse, Response
from fastapi.routing import APIRouter

from tutti.interfaces import Embedder, Responder, Seeing, Transcriber
from tutti.serve.dialects.audio import AudioRoutes
from tutti.serve.dialects.chat import ChatRoutes
from tutti.serve.dialects.completions import CompletionRoutes
from tutti.serve.dialects.embeddings import EmbeddingRoutes
from tutti.serve.dialects.messages import MessageRoutes
from tutti.serve.dialects.responses import ResponseRoutes
from tutti.serve.feedback import FeedbackRoutes
from tutti.serve.metrics import CONTENT_TYPE
from tutti.serve.realtime.connection import RealtimeRoutes
from tutti.serve.schemas import listing
from tutti.serve.service import Service

DIALECTS = (ChatRoutes, ResponseRoutes, CompletionRoutes, MessageRoutes, EmbeddingRoutes, AudioRoutes)


class Routes:
    """What the server says of itself, and the dialects beside it.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def router(self) -> APIRouter:
        """All of them."""
        router = APIRouter()
        for dialect in DIALECTS:
            dialect(self.service).add_to(router)
        RealtimeRoutes(self.service).add_to(router)
        FeedbackRoutes(self.service.feedback).add_to(router)
        add = router.add_api_route
        add("/v1/models", self.models, methods=["GET"], response_model=listing.ModelsResponse)
        add("/v1/models/{name:path}", self.one_model, methods=["GET"], response_model=listing.ModelBody)
        add("/health", self.health, methods=["GET"], response_model=listing.HealthResponse)
        add("/metrics", self.metrics, methods=["GET"], response_class=PlainTextResponse)
        return router

    async def models(self) -> listing.ModelsResponse:
        """The models that are served here, each by all of its names."""
        names = self.service.names
        return listing.ModelsResponse(
            data=[described(self.service, name) for name in names], first_id=names[0], last_id=names[-1]
        )

    async def one_model(self, name: str) -> listing.ModelBody:
        """One model."""
        self.service.check_model(name)
        return described(self.service, name)

    async def health(self) -> listing.HealthResponse:
        """Whether requests are accepted."""
        return listing.HealthResponse(status="draining" if self.service.admission.draining else "ok")

    async def metrics(self) -> Response:
        """Counters in the text format of Prometheus."""
        return Response(self.service.metrics.text(), media_type=CONTENT_TYPE)


_CAPABILITIES = (("chat", Responder), ("embeddings", Embedder), ("transcription", Transcriber))


def described(service: Service, name: str) -> listing.ModelBody:
    """What a model takes and does.

    Args:
        service: The model.
        name: Its own, or an alias.
    """
    model = service.model
    able = [word for word, kind in _CAPABILITIES if isinstance(model, kind)]
    takes = ["text"] if {"chat", "embeddings"} & {*able} else []
    takes += [one for one in (model.modalities if isinstance(model, Seeing) else ()) if one not in takes]
    takes += ["audio"] if "transcription" in able and "audio" not in takes else []
    gives = {"chat": "text", "embeddings": "embedding", "transcription": "text"}
    return listing.ModelBody(
        id=name,
        created=service.created,
        root=service.called(name),
        max_model_len=service.context_length,
        max_input_tokens=service.context_length,
        modalities=listing.ModalitiesBody(input=takes, output=list(dict.fromkeys(gives[one] for one in able))),
        capabilities=able,
        display_name=name,
        created_at=datetime.fromtimestamp(service.created, UTC).isoformat(),
    )
