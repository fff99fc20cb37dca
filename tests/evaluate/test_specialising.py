"""Specialists, their calibration, routers, and exact statements on shares."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tutti
from tests.evaluate.scenes_of_labels import ColourSpace, write_suite
from tutti.cli.main import main
from tutti.content import Image, Message, SamplingOptions
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError
from tutti.evaluate import specialising
from tutti.evaluate.exact import cases_for_claim, exact_interval, upper_limit
from tutti.evaluate.labelled import labelled_tasks
from tutti.evaluate.linear_head import calibration_error, fit_head, fit_temperature, softmax
from tutti.evaluate.router_files import save_router
from tutti.evaluate.specialising import ALWAYS, NEVER, FittedTask, fit_task, router_worth
from tutti.evaluate.suite import read_suite
from tutti.model import Model
from tutti.providers import registry
from tutti.providers.routed import PERSON, RoutedProvider, read_router


def test_exact_intervals_are_those_of_the_tables() -> None:
    low, high = exact_interval(0, 10)
    assert (low, round(high, 4)) == (0.0, 0.3085)  # 1 - 0.025^(1/10)
    assert [round(one, 4) for one in exact_interval(3, 10)] == [0.0667, 0.6525]
    assert [round(one, 4) for one in exact_interval(10, 10)] == [0.6915, 1.0]
    assert math.isclose(upper_limit(0, 300), 1 - 0.05 ** (1 / 300), rel_tol=1e-9)
    assert abs(upper_limit(0, 1000) * 1000 - 3) < 0.01  # the rule of three


def test_claims_need_as_many_cases_as_the_binomial_says() -> None:
    assert cases_for_claim(0.999) == math.ceil(math.log(0.05) / math.log(0.999)) == 2995
    for failures in (0, 1, 3):
        count = cases_for_claim(0.99, failures)
        assert upper_limit(failures, count) <= 0.01 < upper_limit(failures, count - 1)
    with pytest.raises(ValueError, match="no share"):
        cases_for_claim(1.0)


def test_a_head_is_at_the_minimum_of_its_objective() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 5)).astype(np.float32) + 3
    targets = (vectors[:, 0] + rng.normal(0, 0.5, 60) > 3).astype(int) + (vectors[:, 1] > 3.5)
    head = fit_head(vectors, targets, "abc", 0.01)
    mean = vectors.mean(0, dtype=float)
    scale = np.sqrt(((vectors - mean) ** 2).sum(1).mean())

    def loss(weight: Any, bias: Any) -> float:
        chosen = softmax(vectors @ weight.T + bias)[np.arange(60), targets]
        return float(-np.log(chosen).mean() + 0.005 * ((weight * scale) ** 2).sum())

    best = loss(head.weight, head.bias)
    for _ in range(50):
        change, shift = rng.normal(0, 1e-3, head.weight.shape), rng.normal(0, 1e-3, 3)
        assert loss(head.weight + change, head.bias + shift - change @ mean) > best


def test_a_temperature_mends_what_is_too_sure() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    targets = np.array([rng.choice(3, p=row) for row in softmax(logits)])
    assert abs(fit_temperature(logits * 5, targets) - 5) < 0.4
    assert calibration_error(softmax(logits), targets) < 0.03
    assert calibration_error(softmax(logits * 5), targets) > 0.15
    certain = np.array([[4.0, -4.0]] * 20)
    temperature = fit_temperature(certain, np.zeros(20, int))
    assert 0.9 < softmax(certain / temperature).max() < 0.99  # 20 of 20 right are no certainty


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[FittedTask]]:
    folder = tmp_path_factory.mktemp("labels")
    tasks = labelled_tasks(read_suite(write_suite(folder)), ColourSpace())
    found = [fit_task(one) for one in tasks]
    save_router(folder / "router", found, ColourSpace(), label_as="{}", media_modality="image")
    return folder, found


def test_the_parts_share_no_medium(fitted: tuple[Path, list[FittedTask]]) -> None:
    for one in fitted[1]:
        parts = [set(part.clusters) for part in (one.task.train, one.task.validation, one.task.test)]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
        assert [len(part) for part in parts] == [40, 20, 20]


def test_each_is_routed_to_who_was_measured_better(fitted: tuple[Path, list[FittedTask]]) -> None:
    colour, grade = fitted[1]
    assert (colour.task.question, grade.task.question) == ("Which colour?", "Which grade?")
    assert colour.generalist.mean > 0.9 and colour.generalist_point == ALWAYS
    assert grade.generalist.mean < 0.7
    assert grade.specialist.mean > 0.9 and grade.generalist_point == NEVER
    assert [row.shots for row in grade.shots] == [1, 2, 4, 8, 16, 20]
    assert grade.shots[-1].accuracy.mean >= grade.shots[0].accuracy.mean
    worth = router_worth(fitted[1])
    assert worth.over_generalist.difference.low > 0
    assert not worth.worth_it and "not worth it" in worth.advice  # the specialist of colours is as good


def test_a_router_is_worth_it_where_each_is_better_somewhere(fitted: tuple[Path, list[FittedTask]]) -> None:
    _, (colour, grade) = fitted
    count = len(colour.task.test.targets)
    bad = tuple(float(place % 2) for place in range(count))
    mixed = replace(colour, scores={**colour.scores, "specialist": bad})
    assert router_worth([mixed, grade]).worth_it


def test_points_are_chosen_on_validation_and_never_on_test(fitted: tuple[Path, list[FittedTask]]) -> None:
    for one in fitted[1]:
        test = one.task.test
        other = replace(one.task, test=replace(test, targets=1 - test.targets))
        again = fit_task(other)
        assert (again.generalist_point, again.specialist_point) == (one.generalist_point, one.specialist_point)
        assert again.head.temperature == one.head.temperature
        assert again.specialist.mean == pytest.approx(1 - one.specialist.mean)


def test_the_least_sure_go_to_a_person_and_no_more_than_allowed() -> None:
    confidence = np.linspace(0.5, 1.0, 50)
    point = specialising._lowest(confidence, 0.1)
    assert (confidence < point).sum() == 5
    assert (confidence < specialising._lowest(confidence, 0.0)).sum() == 0


def test_confidence_divides_two_that_are_better_in_different_places() -> None:
    confidence = np.linspace(0, 1, 200)
    ours, theirs = (confidence > 0.5).astype(float), (confidence < 0.6).astype(float)
    point = specialising._between(confidence, ours, theirs)
    assert 0.45 < point < 0.65
    assert specialising._between(confidence, ours * 0, theirs) == NEVER


def test_a_folder_answers_as_it_was_measured(fitted: tuple[Path, list[FittedTask]]) -> None:
    folder, tasks = fitted
    routed = RoutedProvider("route:x", ColourSpace(), read_router(folder / "router"))
    model = Model(routed)
    suite = read_suite(folder / "suite.jsonl")
    grades = [case for case in suite.cases if case.question == "Which grade?"]
    test = [case for case in grades if case.cluster in tasks[1].task.test.clusters]
    right = [model.ask("which  grade?", case.media[0]).text == case.expected[0] for case in test]
    assert sum(right) / len(right) == tasks[1].routed.mean
    answer = model.ask("Which grade?", test[0].media[0])
    assert answer.notes[0].startswith("Routed to the specialist") and answer.model == "route:x"
    assert "generalist" in model.ask("Which colour?", test[0].media[0]).notes[0]
    assert model.ask("What else?", test[0].media[0]).text == "something"
    scores = model.classify(test[0].media[0], ["grade B", "grade A"])
    assert next(iter(scores)) == answer.text and sum(scores.values()) == pytest.approx(1)
    assert set(model.classify(test[0].media[0], ["red", "blue"])) == {"red", "blue"}


def test_below_its_point_a_person_is_asked(fitted: tuple[Path, list[FittedTask]]) -> None:
    folder, _ = fitted
    table = folder / "router/router.json"
    saved = table.read_text()
    row = json.loads(saved)
    row["tasks"][1]["specialist_point"] = 2.0
    table.write_text(json.dumps(row))
    try:
        routed = RoutedProvider("route:x", ColourSpace(), read_router(folder / "router"))
    finally:
        table.write_text(saved)
    turn = Message.user(Image(folder / "0.png"), "Which grade?")
    answer = answer_of_stream(routed.stream([turn], SamplingOptions()), "x")
    assert answer.text == PERSON and "person" in answer.notes[0]


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"tasks": []},
        {"tasks": [{}]},
        {"label_as": "none"},
        {"tasks": 5},
    ],
)
def test_a_damaged_folder_is_refused(
    fitted: tuple[Path, list[FittedTask]], tmp_path: Path, change: dict[str, Any]
) -> None:
    folder, _ = fitted
    table = json.loads((folder / "router/router.json").read_text())
    (tmp_path / "router.json").write_text(json.dumps({**table, **change}))
    (tmp_path / "heads.safetensors").write_bytes((folder / "router/heads.safetensors").read_bytes())
    with pytest.raises(InputError, match="damaged"):
        read_router(tmp_path)
    (tmp_path / "router.json").write_text(json.dumps({**table, "model": "openai:gpt-4o"}))
    with pytest.raises(InputError, match="expected one on this machine"):
        registry.open_provider(f"route:{tmp_path}")
    (tmp_path / "heads.safetensors").write_bytes(b"PK\x03\x04" * 9)
    with pytest.raises(InputError, match="damaged"):
        read_router(tmp_path)


def test_another_model_is_refused(fitted: tuple[Path, list[FittedTask]]) -> None:
    with pytest.raises(InputError, match="another model"):
        RoutedProvider("route:x", ColourSpace(turned=True), read_router(fitted[0] / "router"))
    with pytest.raises(InputError, match="no router"):
        read_router(fitted[0] / "nowhere")


def test_the_command_fits_and_keeps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tutti, "open_provider", lambda *_, **__: ColourSpace("tutti-mini"))
    suite = str(write_suite(tmp_path))
    words = ["specialise", suite, "--positive", "grade A", "--out", str(tmp_path / "r")]
    assert main([*words, "--json", "--to-person", "0.1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["answered_by"] for row in told["tasks"][1]["detections"]] == ["generalist", "specialist"]
    assert told["tasks"][1]["detections"][1]["needed_without"] == 2995
    assert told["router"]["worth_it"] is False
    assert read_router(tmp_path / "r").tasks[1].labels == ("grade A", "grade B")
    assert main(words) == 0
    out = capsys.readouterr()
    assert "with k examples a label" in out.out and "--model route:" in out.err


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([{"media": ["0.png"], "question": "Q?", "expected": ["a"]}], [], "one label"),
        ([{"media": [], "question": "Q?", "expected": ["a"]}], [], "0 media"),
        (
            [{"media": [f"{n}.png"], "question": "Q?", "expected": ["ab"[n % 2]]} for n in range(4)],
            [],
            "too few groups",
        ),
        ([], ["--positive", "x"], "--positive is 'x'"),
        ([], ["--to-person", "1"], "--to-person"),
        ([], ["--label-as", "x"], "expected one {}"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    rows: list[Any], more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tutti, "open_provider", lambda *_, **__: ColourSpace())
    suite = write_suite(tmp_path, 8)
    if rows:
        suite.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["specialise", str(suite), *more]) == 2
    assert said in capsys.readouterr().err
