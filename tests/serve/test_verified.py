"""Answers that are verified where a request asks for it."""

from __future__ import annotations

from dataclasses import replace

import openai
import pytest

from tutti.content import Answer, Claim, Conversation
from tutti.serve.lifecycle import Server


class Checker:
    def verify(self, conversation: Conversation, answer: Answer) -> Answer:
        claim = Claim(text="text: OPEN", verdict="contradicted", span=(9, 13), contradicted_by="CLOSED")
        return replace(answer, evidence=(claim,), notes=("one note",))


def asked(client: openai.OpenAI, **more: object) -> object:
    messages = [{"role": "user", "content": 'It says "OPEN"'}]
    return client.chat.completions.create(model="parrot", messages=messages, extra_body=more)  # type: ignore[arg-type]


def test_a_message_has_evidence_where_it_was_asked_for(server: Server, client: openai.OpenAI) -> None:
    server.service.verifier = Checker()
    message = asked(client, verify=True).choices[0].message.to_dict()  # type: ignore[attr-defined]
    assert message["content"] == 'It says "OPEN"'
    assert message["evidence"] == [
        {"text": "text: OPEN", "supported": False, "evidence": "", "verdict": "contradicted", "span": [9, 13],
         "contradicted_by": "CLOSED"}
    ]  # fmt: skip
    assert message["warnings"] == ["one note"]
    assert set(asked(client).choices[0].message.to_dict()) == {"role", "content", "refusal", "annotations"}  # type: ignore[attr-defined]


def test_a_stream_is_not_verified(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="verified when it is whole"):
        asked(client, verify=True, stream=True)
