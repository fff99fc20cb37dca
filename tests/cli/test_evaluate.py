"""`tutti evaluate` as a user meets it: a report, exit codes, and everything that is wrong in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tutti
from tests.evaluate.scripted_model import Player, write_suite
from tests.providers.loopback import failing, loopback, openai_stream
from tutti.cli.main import main
from tutti.errors import Unauthorized

ROWS = [{"id": f"c{i}", "media": [f"{i}.png"], "question": f"Number {i}?", "expected": "yes"} for i in range(12)]


@pytest.fixture
def player(monkeypatch: pytest.MonkeyPatch) -> Player:
    """What `tutti.open_provider` gives, whatever name it is asked for."""
    one = Player(lambda question: "yes")
    monkeypatch.setattr(tutti, "open_provider", lambda name=None, **_: one, raising=False)
    return one


def test_report_baseline_and_exit_codes(
    player: Player, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = str(write_suite(tmp_path / "media", *ROWS))
    assert main(["evaluate", suite, "--concurrency", "2"]) == 0
    said = capsys.readouterr()
    assert "| 1 | tutti-mini | 100.0% |" in said.out
    assert "Look at suite-report/report.html" in said.err
    files = {"report.html", "report.json", "report.md", "junit.xml", "answers.jsonl"}
    assert {path.name for path in (tmp_path / "suite-report").iterdir()} == files

    asked = len(player.asked)
    assert main(["evaluate", suite, "--json", "--limit", "5", "--out", "again", "--cache", "shared.jsonl"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["cases"], len(player.asked) - asked) == (5, 5)

    monkeypatch.setattr(tutti.evaluate.report_files, "as_html", lambda report: "")
    baseline = ["--baseline", "suite-report/report.json"]
    assert main(["evaluate", suite, *baseline, "--out", "same"]) == 0
    player.answer = lambda question: "no"
    assert main(["evaluate", suite, *baseline, "--out", "worse"]) == 1
    assert "tutti-mini got worse: 100.0% before, 0.0% now on 12 cases" in capsys.readouterr().out
    assert main(["evaluate", suite, *baseline, "--out", "worse"]) == 1, "also when nothing is asked again"
    player.answer = lambda question: "yes"
    assert main(["evaluate", suite, *baseline, "--out", "worse", "--fresh"]) == 0


def test_a_draft_and_its_evaluation(
    player: Player, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite(tmp_path / "dog", {"media": ["1.png"]})
    (tmp_path / "dog" / "suite.jsonl").unlink()
    (tmp_path / "notes.txt").write_text("words")
    assert main(["evaluate", "--init", str(tmp_path), "--json"]) == 0
    drafted = json.loads(capsys.readouterr().out)
    assert drafted["cases"] == 1
    assert "notes.txt" in drafted["left_out"][0]
    assert main(["evaluate", "--init", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_refused_key_is_the_providers_failure(
    player: Player, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = str(write_suite(tmp_path, *ROWS))

    def refuse(question: str) -> str:
        raise Unauthorized("The key was refused; check it.")

    player.answer = refuse
    assert main(["evaluate", suite]) == 4
    assert (
        capsys.readouterr().err == "tutti: No model answered anything; the first said: The key was refused; check it.\n"
    )


def test_a_spending_limit_refuses_before_sending_and_is_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = str(write_suite(tmp_path, *({**row, "media": []} for row in ROWS[:4])))
    with loopback() as server:
        name = f"{server.url}/v1#m"
        words = ["evaluate", suite, "--model", name, "--json", "--max-tokens", "10"]
        assert main([*words, "--spend-limit", "1"]) == 2
        assert f"No price is known for {name}" in capsys.readouterr().err
        Path("prices.toml").write_text(
            f'[models."{name}"]\ninput = 0.0\noutput = 100000.0\nread = 2026-11-25\nsource = "a contract"\n'
        )
        assert main([*words, "--prices", "prices.toml", "--spend-limit", "0.5"]) == 3
        assert "of the limit of $0.5000 there is $0.5000 left" in capsys.readouterr().err
        assert server.asked == []
        # Ten tokens at most cost a dollar; the two that come cost 0.2.
        server.replies += [openai_stream("y", "es") for _ in ROWS]
        words += ["--prices", "prices.toml", "--spend-limit", "1.3"]
        assert main(words) == 0
        assert len(server.asked) == 2
        assert "of the limit of $1.3000 there is $0.9000 left" in capsys.readouterr().out
        assert main(words) == 0
        assert len(server.asked) == 4
    # "Number 0?" is 9 characters, so 3 tokens by estimate; the server counts as it likes, and both are told.
    counted = "predicted against counted on 4 answers: estimated 12 prompt tokens, the provider counted "
    assert counted in capsys.readouterr().out


def test_a_dry_run_shows_every_request_and_its_price_without_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("TUTTI_KEYS_FILE", "keys.toml")
    ranked = {"id": "r", "media": ["1.png"], "question": "Which?", "expected": ["a"], "metric": "recall"}
    suite = str(write_suite(tmp_path, *ROWS[:2], ranked))
    with loopback() as server:
        own = f"{server.url}/v1#m"
        server.replies += [openai_stream("yes"), openai_stream("yes")]
        words = ["evaluate", suite, "--model", own]
        assert main([*words, "--limit", "1"]) == 0
        capsys.readouterr()
        assert main([*words, "--model", "openai:gpt-4o", "--model", "tutti-mini", "--dry-run"]) == 0
        assert len(server.asked) == 1
    out, err = capsys.readouterr()
    shown = [json.loads(line) for line in out.splitlines()]
    assert [(one["model"], one["id"]) for one in shown] == [
        (own, "c1"), (own, "r"), ("openai:gpt-4o", "c0"), ("openai:gpt-4o", "c1"), ("openai:gpt-4o", "r"),
    ]  # fmt: skip
    assert shown[0]["usd_at_most"] is None
    assert "<image/png, " in shown[2]["request"]["messages"][0]["content"][0]["image_url"]["url"]
    assert shown[2]["usd_at_most"] == pytest.approx(((255 + 3) * 2.5 + 64 * 10) / 1e6)
    assert "would be sent to be embedded" in shown[4]["error"]
    price = 2 * shown[2]["usd_at_most"]
    rest = "cannot be sent, or not be shown: 1, see their errors."
    own_rest = f"their price is not known, and is not 0: tutti cost --help; answers kept from an earlier run: 1; {rest}"
    assert err.splitlines() == [
        f"{own}: requests that would be sent: 1; none was; {own_rest}",
        f"openai:gpt-4o: requests that would be sent: 2; none was; at most ${price:.4f}; {rest}",
        "tutti-mini is on this machine; nothing would be sent anywhere.",
    ]


def test_an_interruption_says_how_to_go_on(
    player: Player, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = str(write_suite(tmp_path, *ROWS))

    def interrupted(question: str) -> str:
        if len(player.asked) > 5:
            raise KeyboardInterrupt
        return "yes"

    player.answer = interrupted
    assert main(["evaluate", suite]) == 130
    said = "Interrupted; what was answered is kept in suite-report/answers.jsonl. Give the same command to go on.\n"
    assert capsys.readouterr() == ("", said)
    player.answer = lambda question: "yes"
    assert main(["evaluate", suite, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["cached"] == 5


@pytest.mark.parametrize("command", [["ask", "Hi"], ["evaluate"]])
def test_no_key_is_for_the_user_to_mend(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("TUTTI_KEYS_FILE", "keys.toml")
    words = command if command[0] == "ask" else [*command, str(write_suite(tmp_path, *ROWS))]
    assert main([*words, "--model", "openai:gpt-4o"]) == 2
    said = 'There is no key for openai; set OPENAI_API_KEY, or write openai = "…" into keys.toml (mode 0600).'
    assert capsys.readouterr() == ("", f"tutti: {said}\n")
    assert not (tmp_path / "suite-report").exists()


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [(401, "Incorrect API key", "refuses the key"), (429, "You exceeded your current quota", "The quota of")],
)
def test_a_wrong_key_or_a_spent_quota_is_met_once_and_gone_on_from(
    status: int,
    message: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = str(write_suite(tmp_path, *({**row, "media": []} for row in ROWS[:4])))
    with loopback() as server:
        words = ["evaluate", suite, "--model", f"{server.url}/v1#m", "--json"]
        refused = [failing(status, message, x_should_retry="false")]
        server.replies += refused
        assert main(words) == 4
        assert said in capsys.readouterr().err
        server.replies += [openai_stream("yes"), openai_stream("yes"), *refused]
        assert main(words) == 0
        (report,) = json.loads(capsys.readouterr().out)["models"]
        assert sum(report["failed"].values()) == 2
        assert any(error.startswith("Not asked, since it refused before: ") for error in report["failed"])
        assert report["score"]["mean"] == 0.5
        server.replies += [openai_stream("yes"), openai_stream("yes")]
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out)["models"][0]["score"]["mean"] == 1
        assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "No suite was given"),
        (["gone.jsonl"], "Cannot read gone.jsonl"),
        (["suite.jsonl", "--prompts", "gone.txt"], "Cannot read gone.txt"),
        (["suite.jsonl", "--baseline", "gone.json"], "The baseline: Cannot read gone.json"),
        (["suite.jsonl", "--model", "a", "--model", "a"], "expected every model once"),
        (["suite.jsonl", "--limit", "0"], "0 is not above zero"),
        (["suite.jsonl", "--model", "no/such/model/at-all"], "There is no model"),
        (["--init", "gone"], "gone is not a folder"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_suite(tmp_path, *ROWS[:1])
    assert main(["evaluate", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
