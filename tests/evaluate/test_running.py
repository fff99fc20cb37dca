"""Running a suite: failures are kept, cuts are survived, nothing is asked twice, and many are asked at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.evaluate.scripted_model import Player, Space, write_suite
from tutti.content import SamplingOptions
from tutti.errors import InputError, ProviderError, RateLimited, Unauthorized
from tutti.evaluate.judging import judge
from tutti.evaluate.prompts import Variant, prompt, read_variants
from tutti.evaluate.reply_log import ReplyLog
from tutti.evaluate.running import Candidate, EvaluationPlan, Outcome, run
from tutti.evaluate.suite import Suite, read_suite


def plain_suite(folder: Path, count: int = 4) -> Suite:
    rows = [
        {"id": f"c{index}", "media": [f"{index}.png"], "question": f"Number {index}?", "expected": "yes"}
        for index in range(count)
    ]
    return read_suite(write_suite(folder, *rows))


def plan_for(suite: Suite, *players: Player, **more: object) -> EvaluationPlan:
    candidates = [Candidate(name=player.name, model=player) for player in players]
    return EvaluationPlan(suite=suite, candidates=candidates, **more)  # type: ignore[arg-type]


def test_every_model_is_asked_every_case_in_every_variant(tmp_path: Path) -> None:
    suite = plain_suite(tmp_path)
    good, bad = Player(lambda question: "yes", "good"), Player(lambda question: "no", "bad")
    variants = (Variant("plain", "{question}"), Variant("brief", "{question} Briefly."))
    told: list[Outcome] = []
    outcomes = run(plan_for(suite, good, bad, variants=variants), log=ReplyLog(tmp_path / "a"), told=told.append)
    assert len(outcomes) == len(told) == 16
    assert [o.score.value for o in outcomes if o.score] == [1.0] * 8 + [0.0] * 8
    assert good.asked[4] == "Number 0? Briefly."
    first = outcomes[0].reply
    assert first is not None
    assert first.usage.media_tokens == 10
    assert first.first_token_s is not None
    assert first.first_token_s <= first.seconds


def test_a_cut_run_goes_on(tmp_path: Path) -> None:
    suite = plain_suite(tmp_path, 6)

    def answer(question: str) -> str:
        if question == "Number 3?" and not resumed:
            raise KeyboardInterrupt
        return "yes"

    resumed = False
    player = Player(answer)
    with pytest.raises(KeyboardInterrupt):
        run(plan_for(suite, player), log=ReplyLog(tmp_path / "answers.jsonl"))
    with (tmp_path / "answers.jsonl").open("a") as file:
        file.write('{"digest": "torn')  # what a cut in the middle of a line leaves
    resumed, player.asked[:] = True, []
    outcomes = run(plan_for(suite, player), log=ReplyLog(tmp_path / "answers.jsonl"))
    assert player.asked == ["Number 3?", "Number 4?", "Number 5?"]
    assert [outcome.cached for outcome in outcomes] == [True] * 3 + [False] * 3
    # The torn line spoils neither itself nor what was added behind it.
    player.asked[:] = []
    run(plan_for(suite, player), log=ReplyLog(tmp_path / "answers.jsonl"))
    assert player.asked == []


def test_the_cache_is_shared_only_by_what_is_the_same(tmp_path: Path) -> None:
    suite, cache = plain_suite(tmp_path, 1), ReplyLog(tmp_path / "cache")
    player = Player(lambda question: "yes")
    again = [
        plan_for(suite, player),
        plan_for(suite, player),
        EvaluationPlan(suite=suite, candidates=[Candidate(name="player", model=player, fingerprint="other weights")]),
        plan_for(suite, player, options=SamplingOptions(max_tokens=7)),
        plan_for(suite, player, options=SamplingOptions(temperature=1.0)),
        plan_for(suite, player, options=SamplingOptions(temperature=1.0)),
    ]
    asked = []
    for number, plan in enumerate(again):
        run(plan, log=ReplyLog(tmp_path / str(number)), cache=cache)
        asked.append(len(player.asked))
    assert asked == [1, 1, 2, 3, 4, 5]
    (tmp_path / "0.png").write_bytes((tmp_path / "0.png").read_bytes() + b"\0")  # another picture at the same path
    run(again[0], log=ReplyLog(tmp_path / "new"), cache=cache)
    assert len(player.asked) == 6


def test_failures_are_reported_and_not_fatal(tmp_path: Path) -> None:
    suite = plain_suite(tmp_path, 4)
    errors = {"Number 1?": RateLimited("Slow down."), "Number 2?": RuntimeError("tensor sizes differ")}

    def answer(question: str) -> str:
        if question in errors:
            raise errors[question]
        return "yes"

    outcomes = run(plan_for(suite, Player(answer)), log=ReplyLog(tmp_path / "a"))
    assert [outcome.error for outcome in outcomes] == ["", "Slow down.", "RuntimeError: tensor sizes differ", ""]
    # What failed is asked again by the next run.
    errors.clear()
    player = Player(answer)
    run(plan_for(suite, player), log=ReplyLog(tmp_path / "a"))
    assert player.asked == ["Number 1?", "Number 2?"]


def test_a_refused_key_is_not_tried_for_every_case(tmp_path: Path) -> None:
    suite = plain_suite(tmp_path, 5)

    def refuse(question: str) -> str:
        raise Unauthorized("The key was refused; check OPENAI_API_KEY.")

    refused, good = Player(refuse, "refused"), Player(lambda question: "yes", "good")
    outcomes = run(plan_for(suite, refused, good), log=ReplyLog(tmp_path / "a"))
    assert len(refused.asked) == 1
    assert sum("Not asked" in outcome.error for outcome in outcomes) == 4
    assert sum(outcome.reply is not None for outcome in outcomes) == 5
    with pytest.raises(ProviderError, match="No model answered anything; the first said: The key was refused"):
        run(plan_for(suite, refused), log=ReplyLog(tmp_path / "b"))


def test_many_are_asked_at_once(tmp_path: Path) -> None:
    suite = plain_suite(tmp_path, 32)
    together = threading.Barrier(8, timeout=60)
    running, most, lock = 0, 0, threading.Lock()

    def answer(question: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()  # goes on only once eight are here
        with lock:
            running -= 1
        return "yes"

    outcomes = run(plan_for(suite, Player(answer), concurrency=8), log=ReplyLog(tmp_path / "a"))
    assert most == 8
    assert [outcome.case.id for outcome in outcomes] == [case.id for case in suite.cases]
    assert all(outcome.reply for outcome in outcomes)


def test_retrieval_ranks_a_gallery(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": "aaab", "expected": "aa", "metric": "recall"},
        {"id": "2", "question": "ccd", "expected": "cc", "metric": "recall"},
        {"id": "3", "question": "dddc", "expected": "ddd", "metric": "recall", "options": ["bbb", "ddd"]},
    ]
    suite = read_suite(write_suite(tmp_path, *rows))
    outcomes = run(
        EvaluationPlan(suite=suite, candidates=[Candidate(name="space", model=Space())]), log=ReplyLog(tmp_path / "a")
    )
    assert [o.score.value for o in outcomes if o.score] == [1, 1, 1]
    assert outcomes[0].reply is not None
    assert outcomes[0].reply.text.splitlines() == ["aa", "cc", "ddd"]
    with pytest.raises(InputError, match="does not embed"):
        run(plan_for(suite, Player(lambda question: "aa")), log=ReplyLog(tmp_path / "b"))


def test_variants_are_read_and_put_together(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text(
        "# comment\n\n{question}\n[letters] {question}\\n{options:reversed}\n[odd] {options:shuffled} {question}\n"
    )
    plain, letters, odd = read_variants(path)
    row = {"id": "1", "question": "Which {one}?", "expected": "b", "options": ["a", "b", "c"]}
    (case,) = read_suite(write_suite(tmp_path, row)).cases
    assert (plain.name, letters.name) == ("prompt 1", "letters")
    assert prompt(plain, case) == ("Which {one}?\nA) a\nB) b\nC) c", ("a", "b", "c"))
    assert prompt(letters, case) == ("Which {one}?\nA) c\nB) b\nC) a", ("c", "b", "a"))
    text, shown = prompt(odd, case)
    assert sorted(shown) == ["a", "b", "c"]
    assert text.startswith(f"A) {shown[0]}\n")
    path.write_text("{question} {answer}\nno place\n[a] {question}\n[a] {question}\n")
    with pytest.raises(InputError, match=r"3 problems; correct them:\n  line 1: unknown place \{answer\}") as caught:
        read_variants(path)
    assert "line 2: there is no {question}" in str(caught.value)
    assert "line 4: the name 'a' comes more than once" in str(caught.value)


def test_a_judge_speaks_where_there_is_something_to_judge(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": "q", "expected": "dog", "metric": "contains"},
        {"id": "2", "question": "q", "expected": "cat", "metric": "judge"},
        {"id": "3", "question": "q", "metric": "hallucination"},
    ]
    suite = read_suite(write_suite(tmp_path, *rows))
    outcomes = run(plan_for(suite, Player(lambda question: "a dog")), log=ReplyLog(tmp_path / "a"))
    judged = judge(outcomes, Player(lambda question: "Yes" if "<expected>dog" in question else "no."))
    assert [outcome.judged for outcome in judged] == [True, False, None]
    assert [outcome.score.value for outcome in judged if outcome.score] == [1, 0, 1]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    suite, path = plain_suite(tmp_path, 3), tmp_path / "answers.jsonl"
    run(plan_for(suite, Player(lambda question: "a dog")), log=ReplyLog(path))
    first, second, third, _ = path.read_text().split("\n")
    for damaged in ("rubbish", second[5:], second.replace('"text"', '"txet"'), second[:-3] + "}", "[1]", "null"):
        path.write_text("\n".join((first, damaged, third)) + "\n")
        with pytest.raises(InputError, match=f"Line 2 of {path} is damaged"):
            ReplyLog(path)


@pytest.mark.parametrize("kept", [0, 1, 5, 12, 40, -1])
def test_an_answer_that_was_cut_off_is_asked_for_again(kept: int, tmp_path: Path) -> None:
    suite, path = plain_suite(tmp_path, 3), tmp_path / "answers.jsonl"
    player = Player(lambda question: "a dog")
    run(plan_for(suite, player), log=ReplyLog(path))
    first, second, third, _ = path.read_text().split("\n")
    kept = second.index("}") + 1 if kept == 0 else kept  # after the usage, which is an object of its own
    path.write_text("\n".join((first, second[:kept], third)) + "\n")
    asked = len(player.asked)
    run(plan_for(suite, player), log=ReplyLog(path))
    assert len(player.asked) == asked + 1
    # Another process goes on in the line that was cut off.
    path.write_text(f"{first}\n{second[:kept]}{third}\n")
    digest = json.loads(third)["digest"]
    assert digest in ReplyLog(path)
