"""What is watched beside the words of a session: pictures that are shown, and alerts by what is seen, heard and said.

One task does the work behind the session, so that words never wait for it. Of pictures that come faster than the budget
or the machine, the newest is looked at; of sound that waits for longer than `BACKLOG_S`, the oldest is passed over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import FinalWords, Image, LiveAlert, LiveEvent, Part, Text
from tutti.errors import TuttiError
from tutti.interfaces import Embedder
from tutti.media.live_pictures import SHORT_SIDE
from tutti.search.live_questions import glimpse_about
from tutti.search.live_watch import LiveWatch
from tutti.serve import logs
from tutti.serve.errors import Refusal
from tutti.serve.realtime.answering import Send
from tutti.serve.realtime.settings import WatchSettings, invalid
from tutti.serve.service import Service

BACKLOG_S = 10.0
LOOKS_S = 1.0
"""How long words wait for the picture that they are about to be looked at."""
TELLS_S = 5.0
"""Dropped pictures are told of at most so often."""
Tells = Callable[[Exception], Awaitable[None]]
Job = Callable[[], Sequence[LiveAlert]]


class Watching:
    """What one session watches; nothing, until it is set.

    Args:
        service: Opens media, and computes on its threads.
        seer: Opens what places pictures and sounds beside words.
        send: Sends an event.
        tell: Sends an error.
    """

    def __init__(self, service: Service, seer: Callable[[], Embedder], send: Send, tell: Tells) -> None:
        self._service, self._seer, self._send, self._tell = service, seer, send, tell
        self.settings: WatchSettings | None = None
        self.watch: LiveWatch | None = None
        self._rate_hz = 16_000
        self._since_s = 0.0
        """Sound of the stream before the first that is watched."""
        self._newest: tuple[str, float] | None = None
        """Address and time of the picture that is looked at next."""
        self._taken_s = -float("inf")
        self._sounds: deque[NDArray[np.float32]] = deque()
        self._said: deque[LiveEvent] = deque()
        self._dropped = {"budget": 0, "behind": 0}
        self._told, self._told_at = 0, 0.0
        self._wake, self._looked = asyncio.Event(), asyncio.Event()
        self._looked.set()
        self._task: asyncio.Task[None] | None = None

    async def set(self, settings: WatchSettings | None, now_s: float) -> None:
        """Watch for what is asked for from now on; pictures that were shown stay.

        Raises:
            TuttiError: What watches cannot be opened, or an alert is empty.
        """
        if settings == self.settings:
            return
        if settings is None:
            self.watch = None
        else:
            alerts = settings.alerts
            made = await self._service.at_work(lambda: LiveWatch(self._seer(), alerts))
            if self.watch is not None:
                made.glimpses = self.watch.glimpses
            self.watch, self._since_s = made, now_s
            self._sounds.clear()
            self._task = self._task or asyncio.create_task(self._run())
        self.settings = settings

    def show(self, address: object, at_s: float) -> None:
        """Take a picture, if the budget has room for it.

        Raises:
            Refusal: 400; there is no picture, or nothing watches.
        """
        if self.settings is None:
            raise invalid('Nothing watches; set session.tutti first, as in {"see": true}.', "type")
        if not isinstance(address, str) or not address:
            raise invalid("image_url is missing, or no text; expected a data: URL.", "image_url")
        if 0 <= at_s - self._taken_s < 1 / self.settings.pictures_a_second:
            self.passed_over("budget")
            return
        self._taken_s = at_s
        if self._newest is not None:
            self.passed_over("behind")
        self._newest = (address, at_s)
        self._looked.clear()
        self._wake.set()

    def hear(self, samples: NDArray[np.float32], events: Iterable[LiveEvent], since_s: float) -> None:
        """Take the next sound and what was written down of it, whose times count from `since_s`."""
        if self.watch is None or self.settings is None or not self.settings.alerts:
            return
        self._sounds.append(samples)
        waiting = sum(map(len, self._sounds))
        if waiting > BACKLOG_S * self._rate_hz:  # quiet in its place keeps the clock, and is not looked at
            self._sounds = deque([np.zeros(waiting, np.float32)])
            self._dropped["behind"] += 1
        self._said += [_shifted(event, since_s) for event in events if isinstance(event, FinalWords)]
        self._wake.set()

    def passed_over(self, reason: str) -> None:
        """Count a picture that is not looked at."""
        self._dropped[reason] += 1
        self._wake.set()

    async def asked_about(self, said: str) -> Part | None:
        """The picture that something said is about; None where nothing was shown, or none is wanted.

        One that came before the words is waited for, up to `LOOKS_S`.
        """
        if self.settings is None or not self.settings.see:
            return None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), LOOKS_S)
        if self.watch is None or not self.watch.glimpses:
            return None
        return glimpse_about(self.watch, said).picture

    async def end(self) -> None:
        """Stop watching, and free what is held."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.watch = self._newest = None
        self._looked.set()
        self._sounds.clear()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (job := self._next()) is not None:
                try:
                    alerts = await self._service.at_work(job)
                except (TuttiError, Refusal) as error:
                    await self._tell(error)
                    continue
                except Exception as error:  # noqa: BLE001 - one picture or sound fails; the log has the trace
                    logs.log_bug(error, request=None)
                    await self._tell(error)
                    continue
                finally:
                    if self._newest is None:
                        self._looked.set()
                for alert in alerts:
                    await self._send(_event(alert))
            await self._tell_dropped()

    def _next(self) -> Job | None:
        watch = self.watch
        if watch is None:
            return None
        if self._said:
            said, self._said = [*self._said], deque()
            return partial(watch.said, said)
        if self._newest is not None:
            (address, at_s), self._newest = self._newest, None
            return partial(self._seen, watch, address, at_s)
        if self._sounds:
            samples = np.concatenate(self._sounds)
            self._sounds.clear()
            return partial(self._heard, watch, samples)
        return None

    def _heard(self, watch: LiveWatch, samples: NDArray[np.float32]) -> Sequence[LiveAlert]:
        return [_moved(alert, self._since_s) for alert in watch.hear(samples)]

    def _seen(self, watch: LiveWatch, address: str, at_s: float) -> Sequence[LiveAlert]:
        part = self._service.opener.open(address, "image")
        if not isinstance(part, Image):  # pragma: no cover - it is opened as one
            return ()
        self._service.opener.cost([part])
        picture = self._service.opener.decoder.image(part, SHORT_SIDE)
        return watch.see(_small(picture), at_s)

    async def _tell_dropped(self) -> None:
        now, dropped = asyncio.get_running_loop().time(), sum(self._dropped.values())
        if dropped > self._told and (not self._told or now - self._told_at >= TELLS_S):
            self._told, self._told_at = dropped, now
            await self._send({"type": "tutti.image.dropped", **self._dropped})


def with_picture(part: Part | None, said: str) -> tuple[Part, ...]:
    """What was said, behind the picture that it is about."""
    words = (Text(said),) if said else ()
    return words if part is None or not said else (part, *words)


def _event(alert: LiveAlert) -> dict[str, Any]:
    times = {"start_ms": round(1000 * alert.start_s), "end_ms": round(1000 * alert.end_s)}
    return {"type": "tutti.alert", "thing": alert.thing, "sense": alert.sense, **times, "fit": round(alert.fit, 4)}


def _moved(alert: LiveAlert, by_s: float) -> LiveAlert:
    return replace(alert, start_s=alert.start_s + by_s, end_s=alert.end_s + by_s)


def _shifted(event: FinalWords, by_s: float) -> FinalWords:
    return FinalWords(tuple(replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s) for w in event.words))


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With `SHORT_SIDE` as its short side, if it is larger: a session holds hundreds."""
    height, width = picture.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(pillow.fromarray(picture).resize(size, pillow.Resampling.BOX, reducing_gap=2.0))
