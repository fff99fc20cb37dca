"""The server as an ASGI application: routes, the middleware before them, and the handlers of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as FrameworkError

from tutti import __version__
from tutti.errors import CapacityError, TuttiError
from tutti.serve import pages
from tutti.serve.access import Access
from tutti.serve.admission import Admission, Cost
from tutti.serve.applications import Application, MountedPage, include
from tutti.serve.errors import (
    Refusal,
    kind_of,
    respond_to,
    respond_to_http,
)
from tutti.serve.gate import Gate, note_refusal
from tutti.serve.keys import Keys
from tutti.serve.routes import Routes
from tutti.serve.schemas.errors import ErrorResponse
from tutti.serve.service import Service
from tutti.serve.validation import respond_to_validation

_REASONS: dict[int | str, str] = {
    400: "The request cannot be understood, or the model cannot do it",
    401: "No valid key",
    403: "A browser's page from elsewhere",
    404: "No such model or route",
    408: "The body came too slowly",
    413: "Larger than the limits of a request",
    429: "Too many requests with this key; see Retry-After",
    500: "A bug of ours",
    502: "The model's provider failed",
    503: "Too many requests in progress; see Retry-After",
    "default": "Any other error",  # also keeps the framework from describing its 422, which is never sent
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": what} for status, what in _REASONS.items()
}


def create_app(
    service: Service,
    keys: Keys,
    applications: Sequence[Application] = (),
    access: Access | None = None,
    page: MountedPage | None = None,
) -> FastAPI:
    """The server as an ASGI application.

    Args:
        service: The model and its limits.
        keys: Of tenants; without any, programs on this machine are served.
        applications: More routes, each application's under `/apps/NAME`.
        access: Which browser pages from elsewhere may ask; none if not given.
        page: A page for people, mounted beside the routes.

    Raises:
        InputError: Two applications have one name.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.admission.draining = True
        service.close()
        if page is not None:
            page.close()

    app = FastAPI(
        title="Tutti",
        version=__version__,
        description="Pictures, recordings, videos and words in; answers and vectors out.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=_ERRORS,
    )
    app.state.service, app.state.admission = service, service.admission
    app.include_router(Routes(service).router())
    app.include_router(pages.router())
    include(app, applications)
    if page is not None:
        app.mount(page.path, page.app(lambda: _reserved(service.admission)))
    access = access or Access()
    app.add_middleware(Gate, keys=keys, admission=service.admission, metrics=service.metrics, access=access)
    _handle_errors(app, service)
    return app


@contextmanager
def _reserved(admission: Admission) -> Iterator[None]:
    """The place of an answer that a page makes, counted with all others."""
    try:
        place = admission.admitted(Cost())
        place.__enter__()
    except Refusal as error:
        raise CapacityError(str(error)) from None
    try:
        yield
    finally:
        place.__exit__(None, None, None)


def _handle_errors(app: FastAPI, service: Service) -> None:
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        note_refusal(request.state.record, error, service.metrics)
        return respond_to(error, request.url.path)

    async def ours(request: Request, error: Exception) -> JSONResponse:
        kind = kind_of(error)
        request.state.record.fields["error"] = type(error).__name__
        if kind.status == 413:
            service.metrics.rejected("size")
        return respond_to(error, request.url.path)

    async def framework(request: Request, error: FrameworkError) -> JSONResponse:
        return respond_to_http(error, request.url.path)

    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return respond_to_validation(error, request.url.path)

    handlers: dict[type[Exception], Any] = {
        Refusal: refused,
        TuttiError: ours,
        FrameworkError: framework,
        RequestValidationError: invalid,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
