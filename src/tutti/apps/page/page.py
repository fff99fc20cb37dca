"""The page as an application of ASGI, made when it is first asked for: a server without visitors pays nothing."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from tutti.apps.page import guard
from tutti.apps.page.conversations import sweep_files
from tutti.apps.page.folders import held_folder, remove_abandoned
from tutti.apps.page.options import MOUNTED_AT, PageOptions, Reserve
from tutti.errors import InputError, MissingExtra
from tutti.model import Model

_SWEEP_S = 60.0
_LOOK_S = 0.5


class DemoPage:
    """The page, to be mounted in a server.

    Args:
        options: What it offers.
        opens: From a model's name to the model.

    Raises:
        MissingExtra: Gradio is not installed.
    """

    path = MOUNTED_AT

    def __init__(self, options: PageOptions, opens: Callable[[str], Model]) -> None:
        if not is_installed():
            raise MissingExtra("The page", "ui")
        if not options.keep_s > 0:
            raise InputError(f"Uploads cannot be kept for {options.keep_s:g} s; expected more than 0.")
        self.options, self._opens = options, opens
        self.folder, self._handle = held_folder()
        atexit.register(self.close)
        self._inner: Any = None
        self._making = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._reserve: Reserve = nullcontext

    def app(self, reserve: Reserve) -> DemoPage:
        """The ASGI application.

        Args:
            reserve: Entered while an answer is made; may raise an error of the tree.
        """
        self._reserve = reserve
        return self

    def close(self) -> None:
        """Remove all files of the page."""
        shutil.rmtree(self.folder, ignore_errors=True)
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, if its route is open."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not guard.is_open(scope["method"], path, self.folder):
            await _refuse(send, 404, "There is no such route of the page.")
            return
        if scope["method"] == "POST" and not path.startswith(f"{guard.API}/upload"):
            body = await _whole(receive)
            if guard.names_foreign_file(body, self.folder):
                await _refuse(send, 403, "Only files that were given to the page can be used in it.")
                return
            receive = _again(body, receive)
        inner = await self._made()
        if path.startswith(f"{guard.API}/heartbeat/"):
            await self._until_drained(inner, scope, receive, _with_policy(send))
        else:
            await inner(scope, receive, _with_policy(send))

    async def _made(self) -> Any:
        async with self._making:
            if self._inner is None:
                # Imports take seconds, and take them elsewhere; drawing takes less, and Gradio's locks want this loop.
                await asyncio.to_thread(self.prepare)
                inner, lifespan = self._make()
                # Entered and never left: its end comes with the process, which removes the folder.
                self._tasks.append(asyncio.create_task(_within(lifespan)))
                self._tasks.append(asyncio.create_task(self._sweep()))
                self._inner = inner
        return self._inner

    def prepare(self) -> None:
        """Import what draws the page, so that the first visitor waits for less; files of killed pages go."""
        remove_abandoned()
        # Read by Gradio whenever it keeps a file, and before it would tell anyone that it runs.
        os.environ["GRADIO_TEMP_DIR"] = str(self.folder)
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        importlib.import_module("gradio")

    def _make(self) -> tuple[Any, Any]:
        from tutti.apps.page.layout import make

        return make(self.options, self._opens, self.folder, self._reserve)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(_SWEEP_S, self.options.keep_s))
            await asyncio.to_thread(sweep_files, self.folder, self.options.keep_s)

    @staticmethod
    async def _until_drained(inner: Any, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an empty stream, whose connection shows that the page is open, until the server stops."""
        work = asyncio.ensure_future(inner(scope, receive, send))
        admission = getattr(getattr(scope.get("app"), "state", None), "admission", None)
        try:
            while not work.done() and not getattr(admission, "draining", False):
                await asyncio.wait({work}, timeout=_LOOK_S)
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work


def is_installed() -> bool:
    """Whether the extra `ui` is."""
    return importlib.util.find_spec("gradio") is not None


async def _within(lifespan: Any) -> None:
    async with lifespan:
        await asyncio.Event().wait()


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def received() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return received


def _with_policy(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"content-security-policy", guard.POLICY.encode())]
            message = {**message, "headers": headers}
        await send(message)

    return sent


async def _refuse(send: Send, status: int, sentence: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
