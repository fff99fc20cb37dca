"""Reasoning before an answer, and the marks around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tutti.content import Answer, Conversation, Event, Finished, SamplingOptions, Usage
from tutti.evaluate.final_answers import final_answer, stated, unmarked
from tutti.evaluate.judging import judge
from tutti.evaluate.metrics import Said, Score, score, yes_or_no
from tutti.evaluate.reply_log import Reply
from tutti.evaluate.running import Outcome
from tutti.evaluate.suite import Case


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("dog", "dog"),
        ("<think>cat</think>dog", "dog"),
        ("<THINK>\ncat\n</THINK>\ndog", "\ndog"),
        ("cat</think>dog", "dog"),
        ("<think>a<think>b</think>c</think>dog", "dog"),
        ("<think>a</think>dog<think>b</think>", "dog"),
        ("<thinking>a</thinking>dog", "dog"),
        ("<reasoning>a</reasoning>dog", "dog"),
        ("<seed:think>a</seed:think>dog", "dog"),
        ("[THINK]a[/THINK]dog", "dog"),
        ("◁think▷a◁/think▷dog", "dog"),
        ("<|START_THINKING|>a<|END_THINKING|>dog", "dog"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>dog<|return|>", "dog"),
        ("dog <think>is it?", "dog "),
        ("<think>it is a dog", None),
        ("<think>", None),
        ("I think </b> so", "I think </b> so"),
        ("", ""),
    ],
)
def test_reasoning_goes(text: str, final: str | None) -> None:
    assert final_answer(text) == final


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**dog**", "dog"), ("__dog__", "dog"), ("*a dog*", "a dog"), ("_dog_", "dog"), ("`dog`", "dog"),
        ("# Dog", "Dog"),
        ("> dog", "dog"), ("- dog\n- cat", "dog\ncat"), ("```\ndog\n```", "dog"), ("[dog](http://x)", "dog"),
        ("\\boxed{dog}", "dog"), ("$\\boxed{\\text{dog}}$", "dog"), ("\\(x\\)", "x"), ("$x$", "x"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("2*3*4", "2*3*4"), ("snake_case_name", "snake_case_name"), ("costs $5 or $6", "costs $5 or $6"), ("-5", "-5"),
        ("**Answer:** dog", "Answer: dog"), ("\\boxed{f{x}}", "f{x}"), ("\\boxed{dog", "dog"), ("- **a**: b", "a: b"),
    ],
)  # fmt: skip
def test_marks_go(text: str, shown: str) -> None:
    assert unmarked(text) == shown


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It is \\boxed{dog}, I think", "dog"),
        ("\\boxed{cat}, no: \\boxed{dog}", "dog"),
        ("Well. <answer>dog</answer> Bye.", "dog"),
        ("<answer>dog", "dog"),
        ('{"answer": "dog"}', "dog"),
        ('```json\n{"Answer": 5, "why": "x"}\n```', "5"),
        ('{"other": 5}', '{"other": 5}'),
        ("{not json}", "{not json}"),
        ('{"answer": {"a": 1}}', '{"answer": {"a": 1}}'),
    ],
)
def test_what_is_marked_as_the_answer_is_the_answer(text: str, answer: str) -> None:
    assert stated(text) == answer


@pytest.mark.parametrize(
    ("metric", "answer", "expected", "right"),
    [
        ("exact", "<think>A cat?</think>**Dog**", "dog", 1),
        ("exact", "<think>dog", "dog", 0),
        ("exact", "\\boxed{42}", "42", 1),
        ("contains", "<think>It may be a dog.</think>A cat.", "dog", 0),
        ("number", "<think>3 or 4? 4.</think>5", "5", 1),
        ("number", "<think>5</think>3 + 4 = 7. The answer is 7.", "7", 1),
        ("number", "<think>5 and", "5", 0),
        ("number", "3 + 4 = \\boxed{7}", "7", 1),
        ("pope", "<think>no, no</think>Yes.", "yes", 1),
        ("pope", "<think>yes</think>No.", "yes", 0),
        ("pope", "There is no cat, so the answer is **yes**", "yes", 1),
        ("pope", "yes</think>\nno", "no", 1),
        ("pope", "<think>yes", "yes", 0),
        ("vqa", "<think>x</think> `dog`", "dog", 1),
        ("anls", "<think>x</think>**hello world**", "hello world", 1),
        ("wer", "<think>x</think>hello world", "hello world", 1),
    ],
)
def test_metrics_score_what_follows_the_reasoning(metric: str, answer: str, expected: str, right: float) -> None:
    case = Case(id="c", media=(), question="q", expected=(expected,), metric=metric)
    assert score(case, Said(text=answer)).value == right


def test_reasoning_that_was_cut_off_declines_nothing() -> None:
    case = Case(id="c", media=(), question="q", expected=("That cannot be told from the picture.",))
    cut = score(case, Said(text="<think>It cannot be told"))
    assert (cut.value, cut.abstained) == (0, False)
    assert score(case, Said(text="<think>Anna?</think>I cannot tell.")).value == 1


def test_reasoning_invents_nothing() -> None:
    case = Case(id="c", media=(), question="q", expected=(), metric="hallucination")
    assert score(case, Said(text="<think>Is there a cat?</think>A dog.")).claims[0].text == "object: dog"
    assert len(score(case, Said(text="<think>Is there a cat?</think>A dog.")).claims) == 1


class Judge:
    name = "judge"

    def __init__(self) -> None:
        self.asked = ""

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        self.asked = conversation[-1].parts[0].text  # type: ignore[union-attr]
        text = "<think>no, or is it?</think>yes"
        yield Finished(Answer(text=text, model="judge", finish_reason="stop", usage=Usage(), seconds=0.0))


def test_a_judge_sees_the_answer_alone_and_may_reason_itself() -> None:
    case = Case(id="c", media=(), question="q", expected=("dog",), metric="judge")
    reply = Reply(
        text="<think>cat</think>dog", seconds=0, first_token_s=None, usage=Usage(), cost_usd=0, finish_reason="stop"
    )
    outcome = Outcome(model="m", variant="v", case=case, question="q", reply=reply, score=Score(value=0.0))
    asking = Judge()
    (judged,) = judge([outcome], asking)
    assert judged.judged is True
    assert "cat" not in asking.asked
    assert yes_or_no("<think>yes") is None
