"""One session of `/v1/realtime`: what each event of a client does. Source: OpenAI's Realtime API reference.

What is said enters the conversation as its transcript, also where the model hears: one that sees then answers spoken
questions about what it is shown. Transcripts are made while sound comes, so their deltas may come before the commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from tutti.content import Audio, Message, Text, TranscriptionOptions
from tutti.interfaces import Transcriber
from tutti.serve.errors import Refusal
from tutti.serve.realtime.answering import Answering, Send
from tutti.serve.realtime.hearing import SLICE_S, Brought, Hearing
from tutti.serve.realtime.items import Items, RealtimeItem, decoded, item_of, message_item, new_id
from tutti.serve.realtime.settings import SessionSettings, invalid, tokens_of
from tutti.serve.realtime.watching import Watching, with_picture
from tutti.serve.responses import ClientGone
from tutti.serve.service import Service

ServerEvent = dict[str, Any]
_LEAST_COMMIT_S = 0.1


class RealtimeSession:
    """The state of one connection. Events are handled one at a time; an answer is made beside them.

    Args:
        service: The model and its limits.
        tenant: Whose it is.
        send: Sends an event.
        settings: At the beginning.
        watching: Watches pictures and alerts.
    """

    def __init__(
        self, service: Service, tenant: str, send: Send, settings: SessionSettings, watching: Watching
    ) -> None:
        self.service, self.tenant, self.settings = service, tenant, settings
        self.id = new_id("sess")
        self._send = send
        self._items = Items()
        self._hearing: Hearing | None = None
        self.watching = watching
        self.late_s = 0.0
        """How long what is handled has waited."""
        self._begun = time.monotonic()
        self._heard_s = self._buffered_s = self._hearing_from_s = 0.0
        self._buffer_id, self._words = new_id("item"), ""
        self._answer: tuple[Answering, asyncio.Task[None]] | None = None
        self._handlers: Mapping[str, Callable[[ServerEvent], Awaitable[None]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.retrieve": self._retrieve_item,
            "tutti.image.append": self._append_image,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    async def begin(self) -> None:
        """Tell the client that it may begin."""
        await self._send({"type": "session.created", "session": self._body()})

    async def handle(self, event: ServerEvent) -> None:
        """Work on an event of the client.

        Raises:
            Refusal: It cannot be worked on; the session goes on.
            TuttiError: A medium cannot be used.
        """
        kind = event.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise invalid(
                f"There is no event {str(kind)[:80]!r} here; this server takes {', '.join(self._handlers)}.", "type"
            )
        await handler(event)

    async def end(self) -> None:
        """Free all that is held; the client is gone."""
        if self._answer is not None:
            self._answer[1].cancel()
            await asyncio.gather(self._answer[1], return_exceptions=True)
        await self.watching.end()
        self._hearing = None

    def _body(self) -> ServerEvent:
        return self.settings.body(self.id, self.service.name)

    async def _update(self, event: ServerEvent) -> None:
        settings = self.settings.updated(event.get("session"))
        heard = (settings.audio.input.format, settings.audio.input.transcription)
        if self._hearing is not None and heard != (
            self.settings.audio.input.format,
            self.settings.audio.input.transcription,
        ):
            if self._buffered_s:
                raise invalid("The sound's settings cannot change while the buffer holds some; commit or clear it.")
            self._hearing = None
        await self.watching.set(settings.tutti, self._heard_s)
        self.settings = settings
        await self._send({"type": "session.updated", "session": self._body()})

    # Sound

    async def _append(self, event: ServerEvent) -> None:
        samples = decoded(event.get("audio"), "audio")
        rate_hz = self.settings.audio.input.format.rate
        seconds = len(samples) / 2 / rate_hz
        longest_s = self.service.admission.limits.request.seconds
        if self._buffered_s + seconds > longest_s:
            raise invalid(
                f"The buffer would hold more than {longest_s:g} s of sound; commit or clear it.", "audio", "buffer_full"
            )
        if self._hearing is None:
            options = self._transcription()
            live = await self.service.at_work(lambda: self.service.speech().live(options))
            self._hearing, self._hearing_from_s = Hearing(live, rate_hz), self._heard_s
        size = 2 * round(SLICE_S * rate_hz)
        for at in range(0, len(samples), size):
            piece = samples[at : at + size]
            brought = await self.service.at_work(partial(self._hearing.take, piece, self.late_s))
            self._heard_s += len(piece) / 2 / rate_hz
            self._buffered_s += len(piece) / 2 / rate_hz
            self.watching.hear(brought.samples, brought.events, self._hearing_from_s)
            await self._said(brought)

    @property
    def _now_s(self) -> float:
        """The time of what is handled: that of the sound, which is the clock; without any, since the session began."""
        return self._heard_s or time.monotonic() - self._begun

    async def _append_image(self, event: ServerEvent) -> None:
        self.watching.show(event.get("image_url"), self._now_s)

    async def _said(self, brought: Brought) -> None:
        turn = self.settings.audio.input.turn_detection
        if turn is not None and brought.began:
            if turn.interrupt_response:
                self._interrupt("turn_detected")
            await self._marked("speech_started", "audio_start_ms")
        await self._add_words(brought.words)
        if turn is not None and brought.ended:
            await self._marked("speech_stopped", "audio_end_ms")
            said = await self._committed()
            if said and turn.create_response and self.settings.type == "realtime" and self._answer is None:
                await self._create_response({})

    async def _marked(self, what: str, when: str) -> None:
        place = {"item_id": self._buffer_id, when: round(1000 * self._heard_s)}
        await self._send({"type": f"input_audio_buffer.{what}", **place})

    async def _add_words(self, words: str) -> None:
        if not words:
            return
        delta = f" {words}" if self._words else words
        self._words += delta
        if self._tells:
            place = {"item_id": self._buffer_id, "content_index": 0}
            await self._send({"type": "conversation.item.input_audio_transcription.delta", **place, "delta": delta})

    @property
    def _tells(self) -> bool:
        """Whether transcripts are sent."""
        return self.settings.audio.input.transcription is not None or self.settings.type == "transcription"

    async def _commit(self, _: ServerEvent) -> None:
        if self._hearing is None or self._buffered_s < _LEAST_COMMIT_S:
            raise invalid(
                f"The buffer holds {1000 * self._buffered_s:.0f} ms of sound; expected 100 or more.",
                code="input_audio_buffer_commit_empty",
            )
        words = await self.service.at_work(self._hearing.finish)
        await self._add_words(words)
        await self._committed()

    async def _committed(self) -> bool:
        """Make an item of what was said; whether anything was."""
        said, seconds, identity = self._words, self._buffered_s, self._buffer_id
        parts = with_picture(await self.watching.asked_about(said), said)
        item = message_item("user", [{"type": "input_audio", "transcript": said}], parts, identity)
        item = replace(item, beside=len(parts) > 1)
        before = self._items.last_id()
        await self._send({"type": "input_audio_buffer.committed", "item_id": identity, "previous_item_id": before})
        self._fresh_buffer()
        await self._add(item)
        if self._tells:
            done = {"item_id": identity, "content_index": 0, "transcript": said}
            usage = {"type": "duration", "seconds": round(seconds, 3)}
            await self._send({"type": "conversation.item.input_audio_transcription.completed", **done, "usage": usage})
        return bool(said)

    async def _clear(self, _: ServerEvent) -> None:
        if self._hearing is not None:
            await self.service.at_work(partial(self._hearing.finish, hear=False))
        self._fresh_buffer()
        await self._send({"type": "input_audio_buffer.cleared"})

    def _fresh_buffer(self) -> None:
        self._buffer_id, self._words, self._buffered_s = new_id("item"), "", 0.0

    def _transcription(self) -> TranscriptionOptions:
        asked = self.settings.audio.input.transcription
        return TranscriptionOptions() if asked is None else TranscriptionOptions(
            language=asked.language, prompt=asked.prompt
        )  # fmt: skip

    # Items

    async def _create_item(self, event: ServerEvent) -> None:
        rate_hz = self.settings.audio.input.format.rate
        made = partial(item_of, event.get("item"), self.service.opener, self._hears, rate_hz)
        item = await self.service.prepared_by(made)
        await self._add(item, event.get("previous_item_id"))

    async def _add(self, item: RealtimeItem, after: object = None) -> None:
        before = self._items.add(item, after)
        for kind in ("added", "done"):
            await self._send({"type": f"conversation.item.{kind}", "item": item.body, "previous_item_id": before})

    async def _delete_item(self, event: ServerEvent) -> None:
        self._items.delete(event.get("item_id"))
        await self._send({"type": "conversation.item.deleted", "item_id": event.get("item_id")})

    async def _retrieve_item(self, event: ServerEvent) -> None:
        await self._send({"type": "conversation.item.retrieved", "item": self._items.get(event.get("item_id")).body})

    def _hears(self, recording: bytes) -> str:
        """Write down a recording in an item."""
        speech = self.service.speech()
        if not isinstance(speech, Transcriber):  # pragma: no cover - all that are live do
            return ""
        return speech.transcribe(Audio(recording), self._transcription()).text

    # Answers

    async def _create_response(self, event: ServerEvent) -> None:
        if self.settings.type == "transcription":
            raise invalid("A session for transcription gives no answers.", "type")
        if self._answer is not None:
            raise invalid(
                "An answer is being made; wait for response.done, or cancel it.",
                code="conversation_already_has_active_response",
            )
        asked = event.get("response") or {}
        if not isinstance(asked, dict):
            raise invalid("response is no object.", "response")
        for name in ("input", "tools"):
            if asked.get(name):
                raise invalid(f"response.{name} is not taken here; add items, and leave tools out.", f"response.{name}")
        limit = asked.get("max_output_tokens")
        max_tokens = self.settings.max_tokens if limit is None else tokens_of(limit)
        told = asked.get("instructions", self.settings.instructions)
        if not isinstance(told, str):
            raise invalid("response.instructions is no text.", "response.instructions")
        self.service.admission.check_rate(self.tenant)
        turns = [*([Message("system", (Text(told),))] if told else []), *self._items.turns()]
        if not any(turn.role == "user" for turn in turns):
            raise invalid("The conversation holds nothing of a user to answer.", code="conversation_empty")
        answering = Answering(self.service, self._send, turns, max_tokens, asked.get("metadata"))
        task = asyncio.create_task(self._run(answering, kept=asked.get("conversation") != "none"))
        self._answer = (answering, task)

    async def _run(self, answering: Answering, *, kept: bool) -> None:
        item: RealtimeItem | None = None
        try:
            item = await answering.run()
        except asyncio.CancelledError:
            item = answering.item()
            raise
        except ClientGone:
            return
        finally:
            self._answer = None
            if kept and item is not None:
                with suppress(Refusal):  # the conversation is full, which an error on the client's next item reports
                    self._items.add(item)

    async def _cancel_response(self, _: ServerEvent) -> None:
        if self._answer is None:
            raise invalid("No answer is being made.", code="response_cancel_not_active")
        self._interrupt("client_cancelled")

    def _interrupt(self, reason: str) -> None:
        if self._answer is not None:
            answering, task = self._answer
            answering.reason = reason
            task.cancel()
