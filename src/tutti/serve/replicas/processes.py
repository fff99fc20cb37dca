"""The processes: started, watched, started anew when they die, exchanged one after another when the model changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Literal

from tutti.errors import ProviderError
from tutti.serve import logs

State = Literal["starting", "ready", "draining", "dead"]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
"""Before a replica that died is started anew; twice as long each time, unless it lived for longer than the longest."""
_START_S = 600.0
"""Longest that a model may take to load."""


class Replica:
    """A process that serves.

    Args:
        number: Its place, from 0; the process that follows it has the same one.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.state: State = "starting"
        self.url = ""
        self.in_progress = 0
        """Requests that it is at work on."""
        self.born = time.monotonic()
        self.process: Process | None = None

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process, and wait until it listens.

        Raises:
            ProviderError: It ended before, or took too long.
        """
        # In a session of its own: Ctrl-C is for the door, which lets its replicas finish.
        self.process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, env=dict(environment), start_new_session=True
        )
        assert self.process.stdout is not None  # noqa: S101 - opened as a pipe
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), _START_S)
            self.url = str(json.loads(line)["url"]).removesuffix("/v1")
        except (TimeoutError, ValueError, KeyError):
            await self.kill()
            raise ProviderError(
                f"Replica {self.number} ended with exit code {self.process.returncode} before it could serve; what it "
                "printed is above. Try the same command without --replicas."
            ) from None
        self.state = "ready"

    async def ended(self) -> None:
        """Wait until the process has ended, whatever it still prints."""
        assert self.process is not None  # noqa: S101 - started
        assert self.process.stdout is not None  # noqa: S101
        while await self.process.stdout.read(1 << 16):
            pass
        await self.process.wait()

    async def stop(self, seconds: float) -> None:
        """Let it finish what it is at work on, for so long at most."""
        if self.process is None or self.process.returncode is not None:
            return
        self.state = "draining"
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), seconds + 5)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class Replicas:
    """All of them.

    Args:
        count: How many.
        command: What each runs: a server that prints one JSON object with its `url` when it listens.
        environment: Their environment.
        drain_seconds: Longest wait for requests in progress when one ends.
    """

    def __init__(
        self, count: int, command: Sequence[str], environment: Mapping[str, str], drain_seconds: float = 30.0
    ) -> None:
        self.command, self.environment, self.drain_seconds = command, environment, drain_seconds
        self.all = [Replica(number) for number in range(count)]
        self.failure: ProviderError | None = None
        """Why they could not start."""
        self.restarts = 0
        """How many died and were started anew."""
        self._changed = asyncio.Condition()
        self._watchers: set[asyncio.Task[None]] = set()
        self._rolling = asyncio.Lock()
        self._stopping = False

    def ready(self) -> dict[int, Replica]:
        """Those that serve, by number."""
        return {replica.number: replica for replica in self.all if replica.state == "ready"}

    async def start(self) -> None:
        """Start all, at the same time.

        Raises:
            ProviderError: One cannot serve; the others are ended.
        """
        try:
            await asyncio.gather(*(replica.start(self.command, self.environment) for replica in self.all))
        except BaseException as error:
            self.failure = error if isinstance(error, ProviderError) else None
            await asyncio.gather(*(replica.kill() for replica in self.all))
            raise
        for replica in self.all:
            self._watch(replica)

    async def roll(self) -> None:
        """Exchange each process for a fresh one, which loads the model anew; the old one finishes its requests.

        One after another, and a fresh one serves before the old one ends, so that there is always one to ask.
        """
        async with self._rolling:
            for place, old in enumerate(list(self.all)):
                fresh = Replica(old.number)
                try:
                    await fresh.start(self.command, self.environment)
                except ProviderError as error:
                    logs.log_event("roll", replica=old.number, failed=str(error))
                    return
                self.all[place] = fresh
                self._watch(fresh)
                await old.stop(self.drain_seconds)
                logs.log_event("roll", replica=old.number)

    async def stop(self) -> None:
        """End all, each when its requests are finished."""
        self._stopping = True
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*(replica.stop(self.drain_seconds) for replica in self.all))

    def stats(self) -> dict[str, float]:
        """How the replicas fare."""
        return {"replicas_ready": len(self.ready()), "replica_restarts_total": self.restarts}

    def _watch(self, replica: Replica) -> None:
        task = asyncio.create_task(self._watched(replica))
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def _watched(self, replica: Replica) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            async with self._changed:
                self._changed.notify_all()
            await replica.ended()
            if self._stopping or replica.state == "draining":
                return
            replica.state = "dead"
            code = replica.process.returncode if replica.process else None
            logs.log_event("replica_died", replica=replica.number, exit_code=code)
            if time.monotonic() - replica.born > _LONGEST_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            replica = await self._started_anew(replica, pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _started_anew(self, dead: Replica, pause_s: float) -> Replica:
        while True:
            await asyncio.sleep(pause_s)
            fresh = Replica(dead.number)
            try:
                await fresh.start(self.command, self.environment)
            except ProviderError as error:
                logs.log_event("replica_failed", replica=dead.number, failed=str(error))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self.restarts += 1
            self.all[self.all.index(dead)] = fresh
            return fresh
