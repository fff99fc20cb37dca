"""Ask without a browser: what is shown of an answer, what is kept, what stops it, and whose it is."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pillow

from tests.serve.fake_models import Parrot
from tutti.apps.page.asking import STOPPED, AskRoom, AskView
from tutti.apps.page.comparing import CompareRoom, Contestant, Duel, SentElsewhere
from tutti.apps.page.conversations import Dialogues, KeptDialogue, sweep_files
from tutti.apps.page.examples import DRAWN_EXAMPLES, drawn
from tutti.apps.page.feedback import NOTED, PageFeedback
from tutti.apps.page.models import Models
from tutti.apps.page.rooms import Stopped, plain, player, spans_player, stepping, stoppable, without_folder
from tutti.apps.page.views import Moment, figures, marks_in, moments_in, verdicts
from tutti.content import Answer, Audio, Claim, Conversation, Evidence, Message, SamplingOptions, Usage
from tutti.errors import CapacityError, InputError, ProviderError
from tutti.evaluate.feedback_store import FeedbackStore
from tutti.media import Limits
from tutti.model import Model

SEEN = Claim(
    text="It says OPEN.",
    verdict="supported",
    evidence="written: OPEN",
    found=(Evidence(source="reader", text="OPEN", box=(10.4, 20, 60, 40)),),
)
HEARD = Claim(
    text="Somebody says yes.",
    verdict="contradicted",
    contradicted_by="no",
    found=(Evidence(source="whisper-base", text="no", medium=1, start_s=12, end_s=15),),
)


def answer(*claims: Claim, **values: Any) -> Answer:
    usage = Usage(prompt_tokens=1200, completion_tokens=7, media_tokens=1000)
    given = {"text": "OPEN", "model": "m", "finish_reason": "stop", "usage": usage, "seconds": 1.26}
    return Answer(**{**given, "evidence": claims, **values})


class Checked:
    """Verifies every answer with the same claims."""

    def verify(self, conversation: Conversation, answer: Answer) -> Answer:
        return replace(answer, evidence=(SEEN,))


def room(provider: Any = None, **more: Any) -> AskRoom:
    return AskRoom(Models(["parrot"], lambda _: Model(provider or Parrot(), **more)), Limits())


def last(views: Any) -> AskView:
    *_, end = views
    return end


@pytest.fixture
def sign(tmp_path: Path) -> str:
    pillow.new("RGB", (90, 60), "white").save(tmp_path / "sign.png")
    return str(tmp_path / "sign.png")


def test_figures_and_verdicts_say_what_there_is() -> None:
    assert figures(answer()) == "m · 1,200 tokens in, 1,000 of media · 7 out · 1.3 s · no cost per answer"
    assert figures(answer(cost_usd=0.00123)).endswith("$0.0012")
    assert verdicts(answer(SEEN, HEARD)) == [
        "✓ supported: It says OPEN. (written: OPEN)",
        "✗ contradicted: Somebody says yes. (there is: no; 0:00:12–0:00:15 whisper-base: no)",
    ]


def test_boxes_are_those_of_the_medium_and_come_once() -> None:
    empty = Claim(text="x", found=(Evidence(source="reader", text="x", box=(5, 5, 5, 9)),))
    assert [(mark.box, mark.label) for mark in marks_in(answer(SEEN, SEEN, HEARD, empty), 0)] == [
        ((10, 20, 60, 40), "OPEN")
    ]
    assert marks_in(answer(SEEN), 1) == []


def test_an_answer_grows_and_ends_with_its_evidence(sign: str) -> None:
    parrot, dialogue = Parrot(), KeptDialogue("a")
    views = list(room(parrot, verifier=Checked()).ask(dialogue, "what is it", [sign], tenant="anna"))
    assert [view.text for view in views[:4]] == ["", "what", "what is", "what is it"]
    assert views[-1].finished
    assert views[-1].picture is not None
    assert views[-1].picture.shape == (60, 90, 3)
    assert views[-1].marks[0].box == (10, 20, 60, 40)
    assert parrot.asked[0][1].tenant == "anna"
    list(room(parrot).ask(dialogue, "and now"))
    assert [message.role for message in parrot.asked[-1][0]] == ["user", "assistant", "user"]


def test_errors_are_sentences_without_the_servers_folders(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    view = last(room().ask(KeptDialogue("a"), "what", [str(broken)]))
    assert view.finished
    assert "broken.png" in view.error
    assert str(tmp_path) not in view.error
    assert "empty" in last(room().ask(KeptDialogue("a"), " ")).error
    assert last(room(Parrot(error=ProviderError("It is away."))).ask(KeptDialogue("a"), "what")).error == "It is away."


def test_an_error_leaves_the_conversation_as_it_was() -> None:
    dialogue = KeptDialogue("a")
    list(room(Parrot(error=ProviderError("It is away."))).ask(dialogue, "what"))
    assert dialogue.turns == []
    assert not dialogue.busy.locked()


def test_stop_ends_an_answer_and_keeps_what_was_said() -> None:
    parrot, dialogue = Parrot(), KeptDialogue("a")
    views = room(parrot).ask(dialogue, "one two three four")
    next(views)
    dialogue.stop.set()
    view = last(views)
    assert (view.notes, parrot.closed, parrot.running) == ((STOPPED,), 1, 0)
    assert dialogue.turns[0].answer.finish_reason == "cancelled"
    assert dialogue.turns[0].answer.text.startswith("one")
    assert last(room(parrot).ask(dialogue, "again please")).text == "again please"


def test_a_page_that_is_closed_frees_the_model_and_keeps_what_was_said() -> None:
    parrot, dialogue = Parrot(), KeptDialogue("a")
    views = room(parrot).ask(dialogue, "one two three")
    assert next(views).notes == ("parrot is being loaded.",)
    next(views)
    views.close()
    assert (parrot.closed, dialogue.busy.locked()) == (1, False)
    assert dialogue.turns[0].answer.text == "one"


def test_one_question_at_a_time() -> None:
    dialogue, asking = KeptDialogue("a"), room()
    views = asking.ask(dialogue, "one two")
    next(views)
    assert "still being answered" in last(asking.ask(dialogue, "three")).error
    views.close()


def test_a_model_that_was_not_given_is_refused() -> None:
    assert "known are: parrot" in last(room().ask(KeptDialogue("a"), "what", model="openai:gpt-4o")).error


def test_conversations_are_each_tenants_and_end() -> None:
    now = [0.0]
    kept = Dialogues(10, lambda: now[0])
    first = kept.get("anna")
    assert kept.get("anna", first.id) is first
    assert kept.get("bob", first.id) is not first
    now[0] = 9
    assert kept.get("anna", first.id) is first
    now[0] = 20
    assert kept.get("anna", first.id) is not first
    assert len(kept) == 1
    assert kept.get("anna", {"no": "id"}).turns == []


def test_files_are_removed_after_their_time(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").write_bytes(b"x")
    now = (tmp_path / "deep" / "a.png").stat().st_ctime
    assert sweep_files(tmp_path, 60, now + 59) == 0
    assert sweep_files(tmp_path, 60, now + 61) == 1
    assert list(tmp_path.iterdir()) == []


def test_feedback_is_kept_where_tutti_feedback_finds_it(sign: str, tmp_path: Path) -> None:
    dialogue = KeptDialogue("a")
    list(room().ask(dialogue, "what is it", [sign]))
    list(room().ask(dialogue, "and now"))
    kept = PageFeedback(tmp_path / "kept")
    assert kept.add(dialogue.turns[0], "up", tenant="anna") == NOTED
    before = dialogue.messages()[:2]
    kept.add(dialogue.turns[1], "down", right=" a sign ", before=before, tenant="anna", consent="training")
    first, second = FeedbackStore(tmp_path / "kept", "anna").all()
    assert (first.verdict, first.question, first.model, first.consent) == ("good", "what is it", "parrot", "measuring")
    assert (second.verdict, second.other, second.consent) == ("corrected", "a sign", "training")
    assert second.before == (("user", "what is it"), ("assistant", dialogue.turns[0].answer.text))
    assert [(one.modality, one.name, len(one.digest)) for one in first.media] == [("image", "sign.png", 64)]
    assert sign not in first.to_json()
    assert FeedbackStore(tmp_path / "kept", "bob").all() == []
    assert "--feedback" in PageFeedback(None).add(dialogue.turns[0], "up")
    with pytest.raises(InputError, match="up or down"):
        kept.add(dialogue.turns[0], "sideways")


def test_a_choice_is_kept_with_the_answer_that_was_not_chosen(sign: str, tmp_path: Path) -> None:
    duel = comparing(0.1).ask("who", [sign], pair("a", "b"), KeptDialogue("x"))
    assert isinstance(duel, Duel)
    kept = PageFeedback(tmp_path)
    assert kept.chose(duel.asked, duel.media, *duel.texts, model="a", consent="training") == NOTED
    (one,) = FeedbackStore(tmp_path, "default").all()
    assert (one.question, one.answer, one.other, one.verdict, one.model) == ("who", "a", "b", "chosen", "a")
    assert one.media[0].name == "sign.png"
    assert "the same" in kept.chose("who", (), "a", " a", model="a")
    assert len(FeedbackStore(tmp_path, "default").all()) == 1


class Echo(Parrot):
    """Says its name."""

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Any:
        return super().stream([Message.user(self.name)], options)


def pair(*names: str) -> tuple[Contestant, ...]:
    return tuple(map(Contestant, names))


def comparing(chance: float) -> CompareRoom:
    models = Models(["a", "b"], lambda name: Model(Echo(name=name)))
    return CompareRoom(AskRoom(models, Limits()), lambda: chance)


@pytest.mark.parametrize(("chance", "sides"), [(0.1, ("a", "b")), (0.9, ("b", "a"))])
def test_two_models_stand_in_an_order_by_chance(chance: float, sides: tuple[str, str]) -> None:
    duel = comparing(chance).ask("who", [], pair("a", "b"), KeptDialogue("x"))
    assert isinstance(duel, Duel)
    assert duel.texts == tuple(map(str, duel.sides)) == sides


def test_one_model_stands_against_itself_with_another_prompt() -> None:
    models = Models(["a"], lambda name: Model(Parrot(name=name)))
    short, long = Contestant("a", "In a word:"), Contestant("a")
    duel = CompareRoom(AskRoom(models, Limits()), lambda: 0.1).ask("who?", [], (short, long), KeptDialogue("x"))
    assert isinstance(duel, Duel)
    assert duel.texts == ("In a word: who?", "who?")  # a parrot says words again, and no lines
    assert (duel.asked, str(short)) == ("who?", "a, told “In a word:”")
    assert Duel("who?", (short, Contestant("b", "In a word:")), ("x", "y")).asked == "In a word:\nwho?"


def test_choices_are_counted_with_their_interval_for_each_tenant() -> None:
    rooms = comparing(0.1)
    duel = rooms.ask("who", [], pair("b", "a"), KeptDialogue("x"))
    assert isinstance(duel, Duel)
    for choice in ("left", "left", "right", "equal"):
        told = rooms.choose(duel, choice, tenant="anna")
    assert told[0] == "Left was b, right was a."
    assert told[1].startswith("So far: a 1, b 2, equal 1. a is preferred in 33% (from ")
    assert "a 0, b 1, equal 0." in rooms.choose(duel, "left", tenant="bob")[1]
    with pytest.raises(InputError, match="left, right, equal"):
        rooms.choose(duel, "up")
    with pytest.raises(InputError, match="chosen twice"):
        rooms.ask("who", [], pair("a", "a"), KeptDialogue("x"))


def test_what_media_say_is_no_markup() -> None:
    assert plain("![x](http://e.example/) <b>") == "\\!\\[x\\]\\(http://e.example/\\) &lt;b&gt;"
    assert "<script>" not in player("/tmp/p/<script>.png")
    assert player("/p/a film.mp4", 1.25, 3).count('src="/ui/gradio_api/file=/p/a%20film.mp4#t=1.2,3.0"') == 1
    assert without_folder("Cannot read /tmp/p/abc/x.png.", Path("/tmp/p")) == "Cannot read x.png."


@pytest.mark.parametrize("example", DRAWN_EXAMPLES, ids=lambda one: one.label)
def test_examples_are_drawn(example: Any, tmp_path: Path) -> None:
    with pillow.open(drawn(example, tmp_path)) as picture:
        colours = picture.getcolors(100_000)
    assert colours is not None
    assert len(colours) > 1


def test_models_are_opened_once(tmp_path: Path) -> None:
    opened: list[str] = []

    def opens(name: str) -> Model:
        opened.append(name)
        return Model(Parrot())

    models = Models(["a", "a", "b"], opens)
    threads = [threading.Thread(target=models.get) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (opened, models.names) == (["a"], ("a", "b"))


class Remote(Model):
    """Tells what would be sent, as a hosted model does."""

    def preview(self, question: Any, *media: Any, **sampling: Any) -> dict[str, Any]:
        return {"messages": [[part.text for part in one.parts if hasattr(part, "text")] for one in question]}


def test_a_model_elsewhere_is_sent_only_what_was_shown() -> None:
    far = Parrot()
    asking = AskRoom(Models(["openai:far", "near"], lambda _: Remote(far)), Limits())
    dialogue = KeptDialogue("one")
    first = last(asking.ask(dialogue, "hello there"))
    assert json.loads(first.preview) == {"messages": [["hello there"]]}
    assert (first.text, far.asked, dialogue.turns) == ("", [], [])
    other = last(asking.ask(dialogue, "something else", send=True))  # was not shown
    assert "something else" in other.preview and far.asked == []
    sent = last(asking.ask(dialogue, "hello there", send=True))
    assert (sent.text, len(far.asked)) == ("hello there", 1)
    again = last(asking.ask(dialogue, "hello there", send=True))
    assert json.loads(again.preview)["messages"][0] == ["hello there"] and len(far.asked) == 1
    assert last(asking.ask(dialogue, "hello", model="near")).text == "hello"


def test_a_comparison_with_a_model_elsewhere_is_shown_first() -> None:
    far, shares = Parrot(), []
    asking = AskRoom(Models(["openai:far", "near"], lambda _: Remote(far)), Limits())
    comparing, dialogue = CompareRoom(asking, lambda: 0.1), KeptDialogue("one")
    unseen = comparing.ask("hello", (), pair("openai:far", "near"), dialogue)
    assert isinstance(unseen, SentElsewhere) and [name for name, _ in unseen.previews] == ["openai:far"]
    assert far.asked == []
    made = comparing.ask("hello", (), pair("openai:far", "near"), dialogue, send=True, told=shares.append)
    assert isinstance(made, Duel) and made.texts == ("hello", "hello")
    assert (len(far.asked), shares) == (2, [0.0, 0.5])
    assert isinstance(comparing.ask("hello", (), pair("openai:far", "near"), dialogue, send=True), SentElsewhere)


def test_a_model_that_is_not_there_yet_is_said_to_be_loaded() -> None:
    asking = room()
    first, *_ = asking.ask(KeptDialogue("one"), "hello")
    assert first.notes == ("parrot is being loaded.",)
    assert not any("loaded" in note for view in asking.ask(KeptDialogue("two"), "hello") for note in view.notes)


def test_moments_have_a_button_each_in_the_player_of_their_medium() -> None:
    assert moments_in(answer(SEEN, HEARD, HEARD), 0) == []
    moments = moments_in(answer(SEEN, HEARD, HEARD), 1)
    assert moments == [Moment(12, 15, "no")]
    shown = spans_player("/p/a.ogg", [*moments, Moment(20, 21, "<b>")])
    assert 'src="/ui/gradio_api/file=/p/a.ogg#t=12.0,15.0"' in shown
    assert "currentTime = 20.00" in shown and "0:00:12–0:00:15 no" in shown and "<b>" not in shown


def test_an_answer_shows_the_recordings_that_evidence_lies_in(tmp_path: Path) -> None:
    film = tmp_path / "a.ogg"
    said = replace(HEARD, found=(replace(HEARD.found[0], medium=0),))
    view = room().view(answer(said), [Message.user(Audio(film), "what")])
    assert view.moments == ((str(film), (Moment(12, 15, "no"),)),)


def test_what_has_no_steps_is_answered_at_once_when_it_is_stopped() -> None:
    dialogue, release, seen, held = KeptDialogue("one"), threading.Event(), [], []

    @contextmanager
    def reserve() -> Any:
        held.append(True)
        yield
        held.append(False)

    assert stoppable(dialogue, reserve, lambda step: (step(0.5), 7)[1]) == 7
    with pytest.raises(InputError, match="no such"):
        stoppable(dialogue, reserve, lambda step: refuse())

    def work(step: Any) -> None:
        release.wait(10)
        try:
            step(0.5)
        except Stopped:
            seen.append("ended")

    def press() -> None:  # the event of the work that runs then
        dialogue.stop.set()

    timer = threading.Timer(0.2, press)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Stopped, match="nothing was kept"):
        stoppable(dialogue, reserve, work)
    assert time.monotonic() - begun < 5
    assert (seen, held[-1]) == ([], True)  # the work holds its place until it has ended
    assert stoppable(dialogue, reserve, lambda step: 8) == 8  # what comes next does not wait, and does not revive it
    release.set()
    for _ in range(100):
        if seen:
            break
        time.sleep(0.02)
    assert seen == ["ended"]


def test_a_place_that_cannot_be_had_is_told() -> None:
    @contextmanager
    def full() -> Any:
        raise CapacityError("at work on 4 answers")
        yield

    with pytest.raises(CapacityError, match="4 answers"):
        stoppable(KeptDialogue("one"), full, lambda step: 1)


def refuse() -> int:
    raise InputError("There is no such index.")


def test_a_tab_shows_again_what_it_showed_to_the_same_person_alone() -> None:
    held = Dialogues(60)
    mine = held.get("anna")
    mine.shown["search"] = "hits"
    assert held.shown("anna", mine.id, "search") == "hits"
    assert held.shown("anna", mine.id, "shop") is None
    assert held.shown("bob", mine.id, "search") is None
    assert held.shown("anna", None, "search") is None
    held.forget("anna", mine.id)
    assert held.shown("anna", mine.id, "search") is None


def test_work_that_was_stopped_ends_at_its_next_step() -> None:
    dialogue, shown = KeptDialogue("one"), []
    dialogue.stop.set()  # of work before
    step = stepping(dialogue, lambda done, desc: shown.append((done, desc)), "Drafting")
    step(0.5)
    assert shown == [(0.0, "Drafting"), (0.5, "Drafting")]
    dialogue.stop.set()
    with pytest.raises(Stopped, match="nothing was kept"):
        step(0.6)
