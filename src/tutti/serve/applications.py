"""Applications beside the model: routes of their own, behind the same gate.

The server knows none of them; whoever makes it hands them in (`tutti serve --app NAME`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, runtime_checkable

from fastapi import APIRouter, FastAPI, Request
from starlette.types import ASGIApp

from tutti.errors import InputError

TenantOf: TypeAlias = Callable[[Request], str]
"""Whose a request is: the tenant of its key, or `settings.DEFAULT_TENANT` where there are no keys."""
PREFIX = "/apps"
"""What their addresses begin with."""
PAGE = "/ui"
"""Where a page is mounted, and where browsers are asked for a key."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@runtime_checkable
class Application(Protocol):
    """Routes under `/apps/NAME`. Keys, limits, the log, counters and forms of errors are the server's.

    A route raises errors of the tree in `tutti.errors`, whose messages reach the client.
    """

    @property
    def name(self) -> str:
        """What it is called in addresses: small letters, digits and `-`."""
        ...

    def router(self, tenant_of: TenantOf) -> APIRouter:
        """Its routes, without their prefix.

        Args:
            tenant_of: Tells whose a request is; what an application keeps it keeps for each tenant apart.
        """
        ...


class MountedPage(Protocol):
    """A page with routes of its own, behind the same gate; browsers give the key as the password of HTTP Basic."""

    @property
    def path(self) -> str:
        """Where it is mounted; below `PAGE`."""
        ...

    def app(self, reserve: Callable[[], AbstractContextManager[None]]) -> ASGIApp:
        """Its application of ASGI.

        Args:
            reserve: Entered while it makes an answer; raises `CapacityError` where there is no room for one.
        """
        ...

    def close(self) -> None:
        """Remove what it keeps, when the server ends."""
        ...


def include(app: FastAPI, applications: Iterable[Application]) -> None:
    """Add the routes of applications to a server.

    Raises:
        InputError: A name is none for an address, or occurs twice.
    """
    taken: set[str] = set()
    for application in applications:
        name = application.name
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name for an application; expected small letters, digits and '-'.")
        if name in taken:
            raise InputError(f"The application {name!r} is given twice; name each once.")
        taken.add(name)
        app.include_router(application.router(tenant_of), prefix=f"{PREFIX}/{name}", tags=[name])


def tenant_of(request: Request) -> str:
    """Whose a request is, once the gate has let it pass."""
    tenant: str = request.state.tenant
    return tenant
