"""The page that documents the routes: three files of this package, so that it works without a network."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

_TYPES = {"docs.html": "text/html; charset=utf-8", "page.css": "text/css", "page.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
PATHS = {"/docs": "docs.html", "/docs/page.css": "page.css", "/docs/page.js": "page.js"}


def router() -> APIRouter:
    """The page's routes."""
    routes = APIRouter(include_in_schema=False)
    for path, name in PATHS.items():
        routes.add_api_route(path, _sender(name), methods=["GET"])
    return routes


def _sender(name: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    content = (files(__name__) / name).read_bytes()

    async def send() -> Response:
        """One file of the page."""
        return Response(content, media_type=_TYPES[name], headers={"content-security-policy": _POLICY})

    return send
