"""Reports: they rank what can be told apart, refuse what cannot, list inventions, and see regressions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.evaluate.scripted_model import Player, write_suite
from tutti.content import Usage
from tutti.errors import InputError
from tutti.evaluate.page import as_html
from tutti.evaluate.prompts import Variant
from tutti.evaluate.regression import changes, read_baseline
from tutti.evaluate.reply_log import ReplyLog
from tutti.evaluate.report import Report, as_dict, as_junit, as_markdown, make_report
from tutti.evaluate.report_files import write_report
from tutti.evaluate.running import Candidate, EvaluationPlan, Outcome, run
from tutti.evaluate.suite import Suite, read_suite


def right_share(share: float) -> Player:
    """A player that is right on the first of every so many of a hundred cases."""
    return Player(lambda question: "yes" if int(question.split()[1]) % 100 < share * 100 else "no", f"{share:.0%}")


def suite_of(folder: Path, count: int) -> Suite:
    rows = [
        {"id": f"c{i}", "question": f"Case {i * 37 % 100} {i}", "expected": "yes", "metric": "pope"}
        for i in range(count)
    ]
    return read_suite(write_suite(folder, *rows))


def evaluated(suite: Suite, folder: Path, *players: Player) -> list[Outcome]:
    candidates = [Candidate(name=player.name, model=player) for player in players]
    return run(EvaluationPlan(suite=suite, candidates=candidates), log=ReplyLog(folder / "answers.jsonl"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("report")
    rows: list[dict[str, object]] = [
        {"id": f"p{i}", "media": [f"{i}.png"], "question": f"Case {i}", "tags": ["<b>tag"], "metric": "facts",
         "expected": {"facts": ["a dog"]}} for i in range(30)
    ]  # fmt: skip
    suite = read_suite(write_suite(folder, *rows))
    players = [
        Player(lambda q: "A dog.", "honest"),
        Player(lambda q: "A dog and <script>a cat</script>." if q.endswith("7") else "A dog.", "nearly"),
        Player(lambda q: "A helicopter.", "inventive"),
    ]
    return make_report(suite, evaluated(suite, folder, *players), notes=["a note"])


def test_ranks_only_what_can_be_told_apart(report: Report) -> None:
    assert report.ranks == {"honest": 1, "nearly": 1, "inventive": 3}
    sentences = [verdict.sentence for verdict in report.verdicts]
    assert "honest and nearly cannot be told apart: every case has the same score." in sentences
    assert any(re.match(r"honest is better than inventive by 100.0 points .* p < 0.001", one) for one in sentences)


def test_nothing_to_be_said_has_no_heading(report: Report, tmp_path: Path) -> None:
    assert "<h2>What can be said</h2><ul><li>" in as_html(report)
    suite = suite_of(tmp_path, 10)
    assert "What can be said" not in as_html(make_report(suite, evaluated(suite, tmp_path, right_share(0.7))))


def test_one_medium_tells_no_interval(tmp_path: Path) -> None:
    rows = [{"id": f"c{i}", "media": ["1.png"], "question": f"Case {i}", "expected": "yes"} for i in range(9)]
    suite = read_suite(write_suite(tmp_path, *rows))
    found = make_report(suite, evaluated(suite, tmp_path, right_share(0.05)))
    assert "| 55.6% | – |" in as_markdown(found)
    assert "All cases are about one medium, so that no interval can be told." in as_html(found)


def test_says_how_many_cases_would_do(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, 40)
    outcomes = evaluated(suite, tmp_path, right_share(0.7), right_share(0.6))
    (verdict,) = make_report(suite, outcomes).verdicts
    assert not verdict.told_apart
    assert re.search(r"cannot be told apart on 40 cases: .*; about \d+ cases would do", verdict.sentence)
    needed = verdict.comparison.cases_needed
    assert needed is not None
    wider = suite_of(tmp_path / "wide", 2 * needed)
    (verdict,) = make_report(wider, evaluated(wider, tmp_path / "wide", right_share(0.7), right_share(0.6))).verdicts
    assert verdict.sentence.startswith("70% is better than 60%")


def test_lists_every_invention(report: Report) -> None:
    inventive = next(model for model in report.models if model.name == "inventive")
    assert (len(inventive.inventions), inventive.hallucination_rate, inventive.answers_with_inventions) == (30, 1, 1)
    nearly = next(model for model in report.models if model.name == "nearly")
    assert [one.claim.text for one in nearly.inventions] == ["object: cat"] * 3
    assert nearly.hallucination_rate == pytest.approx(3 / 33)


def test_page_needs_nothing_from_outside_and_runs_nothing(report: Report, tmp_path: Path) -> None:
    page, *others = write_report(report, tmp_path)
    text = page.read_text()
    addresses = {*re.findall(r'(?:src|href)=["\']?([^"\'> ]{1,12})', text)}
    assert addresses <= {one for one in addresses if one.startswith(("data:", "#"))}
    assert text.count("data:image/webp;base64,") == 30
    assert text.count("<svg") >= 2
    assert "<script" not in text
    assert "&lt;script&gt;a cat" in text
    assert [file.name for file in others] == ["report.json", "report.md", "junit.xml"]


def test_junit_and_json_and_markdown(report: Report) -> None:
    suites = ElementTree.fromstring(as_junit(report))
    assert [(one.get("name"), one.get("failures")) for one in suites] == [
        ("honest: plain", "0"),
        ("nearly: plain", "0"),
        ("inventive: plain", "30"),
    ]
    values = json.loads(json.dumps(as_dict(report)))
    assert [model["rank"] for model in values["models"]] == [1, 1, 3]
    assert len(values["answers"]) == 90
    assert "| 1= | honest | 100.0% |" in as_markdown(report)
    assert "- a note" in as_markdown(report)


def test_what_could_not_be_checked_is_said(tmp_path: Path) -> None:
    rows = [{"id": "a", "question": "What is it?", "metric": "hallucination"}]
    suite = read_suite(write_suite(tmp_path, *rows))
    found = make_report(suite, evaluated(suite, tmp_path, Player(lambda question: "A dog.", "p")))
    assert "- p asserts 1 things that nothing could be held against; they count as true." in as_markdown(found)


def test_inventions_of_several_prompts_are_one_line(tmp_path: Path) -> None:
    suite = read_suite(write_suite(tmp_path, {"id": "a", "question": "What?", "expected": {"facts": ["a dog"]}}))
    candidates = [Candidate(name="p", model=Player(lambda question: "A cat."))]
    variants = (Variant("short", "{question}"), Variant("long", "Well, {question}"))
    plan = EvaluationPlan(suite=suite, candidates=candidates, variants=variants)
    page = as_html(make_report(suite, run(plan, log=ReplyLog(tmp_path / "a"))))
    assert "p: 2 inventions" in page
    assert page.count("<span class=bad>object: cat</span>") == 1
    assert "<td class=''>short, long</td>" in page


def test_control_characters_do_not_spoil_junit(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, 2)
    odd = make_report(suite, evaluated(suite, tmp_path, Player(lambda question: "\x00\x1b no \ud800 <", "odd \x07")))
    assert len(ElementTree.fromstring(as_junit(odd))) == 1


def test_a_missing_price_is_said_and_is_not_zero(tmp_path: Path) -> None:
    class Price:
        def cost_usd(self, usage: Usage) -> float:
            return 0.01 * usage.prompt_tokens

    suite = suite_of(tmp_path, 3)
    candidates = [
        Candidate(name="own", model=right_share(1)),
        Candidate(name="priced", model=right_share(1), hosted=True, price=Price()),
        Candidate(name="unpriced", model=right_share(1), hosted=True),
    ]
    report = make_report(suite, run(EvaluationPlan(suite=suite, candidates=candidates), log=ReplyLog(tmp_path / "a")))
    assert {model.name: model.cost_usd for model in report.models} == {
        "own": 0.0,
        "priced": pytest.approx(0.03),
        "unpriced": None,
    }
    assert any(
        note.startswith("No price is known for unpriced; its cost is not told, and is not 0") for note in report.notes
    )
    assert "unknown" in as_markdown(report)


def test_pope_figures(tmp_path: Path) -> None:
    rows = [{"id": str(i), "question": f"q {i}", "expected": ["yes", "no"][i % 2], "metric": "pope"} for i in range(8)]
    suite = read_suite(write_suite(tmp_path, *rows))
    # Says yes to 0, 2, 4 (right) and 1 (wrong), no to 3, 5, 7 (right), and nothing of use to 6.
    said = dict(zip(range(8), ["yes", "yes", "yes", "no", "yes", "no", "hm", "no"], strict=True))
    outcomes = evaluated(suite, tmp_path, Player(lambda question: said[int(question.split()[1])]))
    figures = make_report(suite, outcomes).models[0].figures
    assert figures == pytest.approx(
        {
            "POPE accuracy": 6 / 8,
            "POPE unparsed": 1 / 8,
            "POPE yes-ratio": 4 / 7,
            "POPE precision": 3 / 4,
            "POPE recall": 3 / 4,
            "POPE F1": 3 / 4,
        }
    )


def test_a_regression_is_seen_and_a_rerun_is_none(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, 100)
    before = evaluated(suite, tmp_path / "before", right_share(0.7))
    (tmp_path / "report.json").write_text(json.dumps(as_dict(make_report(suite, before))))
    baseline = read_baseline(tmp_path / "report.json")
    (same,) = changes(evaluated(suite, tmp_path / "again", right_share(0.7)), baseline)
    assert not same.regressed
    worse = right_share(0.6)
    worse.name = "70%"
    worse_now = evaluated(suite, tmp_path / "worse", worse)
    (change,) = changes(worse_now, baseline)
    assert change.regressed
    assert change.sentence == (
        "70% got worse: 70.0% before, 60.0% now on 100 cases, p = 0.00098; "
        "the alarm is at 0.001 where 50 runs share 5%."
    )
    assert not changes(worse_now, baseline, margin=0.15)[0].regressed
    for found, failures in ((same, []), (change, [change.sentence])):
        junit = ElementTree.fromstring(as_junit(make_report(suite, worse_now, changes=[found])))
        assert [one.get("message") for one in junit.findall("testsuite[@name='baseline']//failure")] == failures


def test_what_one_comparison_would_call_worse_is_said_and_is_no_alarm(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, 40)
    baseline = {"p": {case.digest: 1.0 for case in suite.cases}}
    outcomes = evaluated(suite, tmp_path, Player(lambda question: "no" if question[-1] in "37" else "yes", "p"))
    (change,) = changes(outcomes, baseline)
    assert not change.regressed
    assert change.sentence.startswith("p may have got worse: ")
    (alone,) = changes(outcomes, baseline, runs=1)
    assert alone.regressed


@pytest.mark.parametrize(
    ("content", "expected"), [("{}", "is no report"), ("[1]", "is no report"), ("{", "is no report")]
)
def test_a_baseline_that_is_none(content: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(InputError, match=expected):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(InputError, match="The baseline: Cannot read"):
        read_baseline(tmp_path / "gone.json")


def test_a_baseline_of_other_cases_or_models(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, 2)
    outcomes = evaluated(suite, tmp_path, Player(lambda question: "yes", "a"))
    with pytest.raises(InputError, match="shares no case"):
        changes(outcomes, {"a": {"another digest": 1.0}})
    with pytest.raises(InputError, match="The baseline knows b, c and not a"):
        changes(outcomes, {"b": {}, "c": {}})
