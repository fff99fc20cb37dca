"""`/v1/responses`: OpenAI's dialect in which the server keeps the conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tutti.content import Answer, Finished, Message, Text
from tutti.serve.dialects.response_turns import options_of, turns_of
from tutti.serve.dialects.response_writer import ResponseEvents, ResponseWriter
from tutti.serve.errors import ErrorStatus, Refusal, kind_of, message_of
from tutti.serve.kept_responses import Absence, KeptResponse
from tutti.serve.questions import Question
from tutti.serve.responses import EventStream, Line
from tutti.serve.schemas import responses as schemas
from tutti.serve.service import Service
from tutti.serve.streaming import Events, answered, begun, failed, noted

_ONE = "/v1/responses/{response_id}"
_WHY: dict[Absence, tuple[str, str]] = {
    "never": ("response_not_found", "There is no response {name!r}, and there never was one of that id for this key."),
    "deleted": ("response_deleted", "The response {name!r} was deleted."),
    "expired": ("response_expired", "The response {name!r} is gone: responses are kept for {seconds:,.0f} s."),
    "evicted": (
        "response_evicted",
        "The response {name!r} is gone: it made room for newer ones, or was asked for with store: false.",
    ),
    "restarted": (
        "response_of_an_earlier_run",
        "The response {name!r} is of an earlier run of this server, which forgot it when it ended.",
    ),
}


class ResponseRoutes:
    """The routes of the dialect.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        add = router.add_api_route
        add("/v1/responses", self.create, methods=["POST"], response_model=schemas.ResponseObject)
        add(_ONE, self.retrieve, methods=["GET"], response_model=schemas.ResponseObject)
        add(_ONE, self.delete, methods=["DELETE"], response_model=schemas.DeletedResponse)
        add(f"{_ONE}/input_items", self.input_items, methods=["GET"])

    async def create(self, body: schemas.ResponsesRequest, request: Request) -> Response:
        """Answer a turn, whole or as a stream of events, and keep the conversation for a while."""
        service, tenant = self.service, request.state.tenant
        service.check_model(body.model)
        before = self._before(body, tenant)
        asked = _Asked(body, before, service)
        options = options_of(body, tenant)
        calls = any(turn.role == "tool" or turn.tool_calls for turn in before) or _has_calls(body)
        question = service.prepared(Question(asked.conversation, options, body.model, has_calls=calls))
        name = service.kept.new_id(tenant)
        question = replace(question, answer_id=name)
        writer = ResponseWriter(name, service.called(body.model), body, question.warnings)
        if body.stream:
            events = await begun(service, question, request)
            lines = self._lines(events, writer, asked, request)
            return EventStream(lines, service.admission.limits.send_seconds)
        (answer,) = await answered(service, question, request)
        return JSONResponse(self._kept(writer.whole(answer), answer, asked, tenant))

    async def retrieve(self, response_id: str, request: Request) -> Response:
        """A response that is kept."""
        return JSONResponse(self._found(response_id, request.state.tenant).response)

    async def delete(self, response_id: str, request: Request) -> schemas.DeletedResponse:
        """Forget a response, and the conversation that it ends."""
        absence = self.service.kept.delete(request.state.tenant, response_id)
        if absence is not None:
            raise self._gone(absence, response_id)
        return schemas.DeletedResponse(id=response_id)

    async def input_items(self, response_id: str, request: Request) -> dict[str, Any]:
        """What was asked in a response that is kept, its own turn alone."""
        items = [*self._found(response_id, request.state.tenant).items]
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
        return {"object": "list", "data": items, "has_more": False, **ends}

    def _before(self, body: schemas.ResponsesRequest, tenant: str) -> tuple[Message, ...]:
        if body.previous_response_id is None:
            return ()
        found = self.service.kept.get(tenant, body.previous_response_id)
        if isinstance(found, KeptResponse):
            return found.turns
        raise self._gone(found, body.previous_response_id, "previous_response_id")

    def _found(self, name: str, tenant: str) -> KeptResponse:
        found = self.service.kept.get(tenant, name)
        if isinstance(found, KeptResponse):
            return found
        raise self._gone(found, name)

    def _gone(self, absence: Absence, name: str, param: str | None = None) -> Refusal:
        code, sentence = _WHY[absence]
        status = ErrorStatus(404 if param is None else 400, "invalid_request_error", code)
        told = sentence.format(name=name[:80], seconds=self.service.kept.limits.seconds)
        return Refusal(status, told, cause="response", param=param)

    def _kept(self, whole: dict[str, Any], answer: Answer, asked: _Asked, tenant: str) -> dict[str, Any]:
        """The response, kept unless that was not wanted."""
        if asked.body.store is False:
            return whole
        said = Message("assistant", (Text(answer.text),) if answer.text else (), answer.tool_calls)
        kept = KeptResponse(response=whole, items=asked.items(whole["id"]), turns=(*asked.turns, said))
        if not self.service.kept.put(tenant, whole["id"], kept):
            told = "The response is larger than what is kept of one tenant, and was not kept."
            return whole | {"warnings": [*whole.get("warnings", ()), told], "store": False}
        return whole

    async def _lines(
        self, events: Events, writer: ResponseWriter, asked: _Asked, request: Request
    ) -> AsyncGenerator[Line, None]:
        told = ResponseEvents(writer)
        try:
            for line in told.opening():
                yield line
            async with aclosing(events):
                async for _, event in events:
                    if isinstance(event, Finished):
                        answer = event.answer
                    else:
                        for line in told.of(event):
                            yield line
        except Exception as error:  # noqa: BLE001 - the status is sent already
            failed(error, request)
            for line in told.failing(kind_of(error).code, message_of(error)):
                yield line
            return
        noted(request, [answer])
        self._kept(writer.whole(answer), answer, asked, request.state.tenant)
        for line in told.ending(answer):
            yield line


def _has_calls(body: schemas.ResponsesRequest) -> bool:
    items = body.input if isinstance(body.input, list) else ()
    return any(isinstance(item, (schemas.InputCall, schemas.InputCallOutput)) for item in items)


class _Asked:
    """What a request asks, and the turns it makes once its media are open."""

    def __init__(self, body: schemas.ResponsesRequest, before: tuple[Message, ...], service: Service) -> None:
        self.body, self.turns = body, before
        self._before, self._service = before, service

    def conversation(self) -> list[Message]:
        """Instructions, what was said before, and what is new; the latter two are remembered."""
        self.turns = (*self._before, *turns_of(self.body.input, self._service.opener.open))
        told = [Message("system", (Text(self.body.instructions),))] if self.body.instructions else []
        return [*told, *self.turns]

    def items(self, name: str) -> list[dict[str, Any]]:
        """What is new, as items with ids."""
        if isinstance(self.body.input, str):
            content = [{"type": "input_text", "text": self.body.input}]
            given: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": content}]
        else:
            given = [item.model_dump(exclude_none=True) for item in self.body.input]
        return [
            {"type": "message", **item, "id": item.get("id") or f"in_{name[5:]}_{place}"}
            for place, item in enumerate(given)
        ]
