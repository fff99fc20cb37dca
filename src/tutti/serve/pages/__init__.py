"""The pages: one to ask, one that documents the routes; files of this package, so that they work without a network."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript; charset=utf-8"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
PATHS = {
    "/": "home.html",
    "/home.js": "home.js",
    "/docs": "docs.html",
    "/docs/page.css": "page.css",
    "/docs/page.js": "page.js",
}


def router() -> APIRouter:
    """The routes of the pages."""
    routes = APIRouter(include_in_schema=False)
    for path, name in PATHS.items():
        routes.add_api_route(path, _sender(name), methods=["GET"])
    return routes


def _sender(name: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    content = (files(__name__) / name).read_bytes()

    async def send() -> Response:
        """One file of a page."""
        return Response(content, media_type=_TYPES[PurePath(name).suffix], headers={"content-security-policy": _POLICY})

    return send
