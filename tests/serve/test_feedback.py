"""`/v1/feedback`: tied to an answer that this tenant was given, kept in words and digests."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked
from tutti.cli.main import main
from tutti.content import Image, Message
from tutti.evaluate.feedback_store import FeedbackStore
from tutti.serve.errors import Refusal
from tutti.serve.feedback import FeedbackDesk
from tutti.serve.lifecycle import Server, ServerOptions
from tutti.serve.schemas.feedback import FeedbackRequest

MINE, BOBS = {"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer tutti-" + "b" * 40}
PICTURE = (Path(__file__).parents[2] / "examples/media/picture.png").read_bytes()


def post(server: Server, path: str, as_: dict[str, str] = MINE, /, **body: Any) -> tuple[int, Any]:
    status, _, content = asked(server, "POST", path, json.dumps(body).encode(), as_)
    return status, json.loads(content)


def test_an_answer_is_judged_by_its_id_by_the_one_who_got_it(tmp_path: Path) -> None:
    desk = FeedbackDesk(tmp_path)
    url = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "two words"}]
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    with served(Parrot(), keys=KEYS, offer=ServerOptions(feedback=desk)) as server:
        _, answer = post(server, "/v1/chat/completions", messages=[*turns, {"role": "user", "content": content}], n=2)
        judgement = {"answer_id": answer["id"], "verdict": "corrected", "text": "three", "who": "ann"}
        assert post(server, "/v1/feedback", BOBS, **judgement)[0] == 404
        assert post(server, "/v1/feedback", {}, **judgement)[0] == 401
        status, told = post(server, "/v1/feedback", consent="training", keep_days=7, choice=1, **judgement)
        assert (status, told["object"]) == (200, "feedback")
        (kept,) = FeedbackStore(tmp_path, "alice").all()
        assert (kept.id, kept.question, kept.other) == (told["id"], "two words", "three")
        assert kept.answer == answer["choices"][1]["message"]["content"]
        assert kept.before == (("user", "Hi"), ("assistant", "Ho"))
        assert [medium.digest for medium in kept.media] == [Image(PICTURE).digest]
        assert (kept.model, kept.consent, kept.keep_days, kept.who) == ("parrot", "training", 7, "ann")
        for bad in (
            {"verdict": "good", "text": "x"},
            {"verdict": "corrected"},
            {"verdict": "chosen"},
            {"verdict": "chosen", "over": 5},
            {"verdict": "good", "choice": 2},
            {"verdict": "fine"},
            {"verdict": "good", "stars": 5},
        ):
            assert post(server, "/v1/feedback", answer_id=answer["id"], **bad)[0] == 400, bad
    assert FeedbackStore(tmp_path, "bob").all() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}),
        ("/v1/responses", {"input": "hello"}),
    ],
)
def test_other_dialects_ids_can_be_judged(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    with served(Parrot(), keys=KEYS, offer=ServerOptions(feedback=FeedbackDesk(tmp_path))) as server:
        _, answer = post(server, path, model="parrot", **body)
        assert post(server, "/v1/feedback", answer_id=answer["id"], verdict="good")[0] == 200
    assert FeedbackStore(tmp_path, "alice").all()[0].question == "hello"


def test_a_stream_can_be_judged_as_soon_as_it_ends(tmp_path: Path) -> None:
    with served(Parrot(), offer=ServerOptions(feedback=FeedbackDesk(tmp_path))) as server:
        body = {"messages": [{"role": "user", "content": "hi there"}], "stream": True}
        _, _, content = asked(server, "POST", "/v1/chat/completions", json.dumps(body).encode())
        name = json.loads(content.split(b"\n")[0].removeprefix(b"data: "))["id"]
        assert post(server, "/v1/feedback", {}, answer_id=name, verdict="bad")[0] == 200
    assert FeedbackStore(tmp_path, "default").all()[0].answer == "hi there"


def test_a_server_without_a_folder_says_so() -> None:
    with served(Parrot()) as server:
        status, told = post(server, "/v1/feedback", {}, answer_id="x", verdict="good")
        assert status == 400 and "--feedback" in told["error"]["message"]


def test_answers_are_remembered_for_a_while_and_not_without_bound(tmp_path: Path) -> None:
    now = [0.0]
    desk = FeedbackDesk(tmp_path, remember_s=10, most=2, clock=lambda: now[0])
    for name in "abc":
        desk.remember("t", name, [Message.user("q?")], {0: name}, model="m")
    body = FeedbackRequest(answer_id="a", verdict="good")
    with pytest.raises(Refusal, match="no answer 'a'"):
        desk.keep("t", body)
    assert desk.keep("t", FeedbackRequest(answer_id="c", verdict="good", keep_days=9999)).keep_days == 365
    now[0] = 11
    with pytest.raises(Refusal):
        desk.keep("t", FeedbackRequest(answer_id="c", verdict="good"))


def test_replicas_are_refused_beside_feedback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["serve", "--feedback", str(tmp_path), "--replicas", "2"]) == 2
    assert "--replicas" in capsys.readouterr().err
