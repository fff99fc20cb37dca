"""What the shell shows of hosted models: nothing is sent in a dry run, and the next model answers where one fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.providers.loopback import failing, loopback, openai_stream
from tutti.cli.main import main

PICTURE = str(Path(__file__).parents[2] / "examples/media/picture.png")


def test_a_dry_run_shows_what_would_be_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as server:
        assert main(["ask", "What is this?", PICTURE, "--model", f"{server.url}/v1#m", "--dry-run"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["model"] == "m"
        assert shown["messages"][0]["content"][0]["image_url"]["url"].startswith("<image/png, ")
        assert server.asked == []


def test_a_dry_run_tells_of_the_model_that_is_asked_first(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as server:
        url = f"{server.url}/v1"
        words = ["ask", "What is this?", PICTURE, "--model", f"{url}#one", "--fallback", "tutti-mini", "--dry-run"]
        assert main(words) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["model"] == "one"
        assert err == "Asked only where it fails: tutti-mini\n"
        assert server.asked == []


@pytest.mark.parametrize("option", ["--dry-run", "--spend-limit 1", "--fallback tutti-mini", "--keep-metadata"])
def test_what_a_search_would_not_heed_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Which dog barks?", "--in", "photos.db", *option.split()]) == 2
    name = option.split(maxsplit=1)[0]
    assert capsys.readouterr().err.startswith(f"tutti: With --in or a long video {name} has no effect")


def test_a_dry_run_of_a_local_model_has_nothing_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is this?", PICTURE, "--dry-run"]) == 2
    assert capsys.readouterr().err == "tutti: tutti-mini is on this machine; nothing would be sent anywhere.\n"


def test_the_next_model_answers_where_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as server:
        server.replies += [failing(500, "oops"), openai_stream("a dog")]
        url = f"{server.url}/v1"
        words = ["ask", "What is this?", PICTURE, "--model", f"{url}#one", "--fallback", f"{url}#two", "--retries", "0"]
        assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["text"], json.loads(out)["model"]) == ("a dog", f"{url}#two")
    assert "cannot be reached or is overloaded (" in err
    assert err.endswith("Asking the next model.\n")


def test_a_provider_that_fails_has_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as server:
        server.replies.append(failing(401, "no such key"))
        assert main(["ask", "Hi", "--model", f"{server.url}/v1#m", "--retries", "0"]) == 4
    assert "refuses the key" in capsys.readouterr().err


def test_a_spending_limit_is_kept_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    words = ["ask", "What is this?", PICTURE, "--model", "openai:gpt-4o", "--spend-limit", "0.000001"]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert err.startswith("tutti: The request to openai:gpt-4o would cost up to $0.00")
    assert "of the limit of $0.0000 there is" in err


def test_a_limit_for_a_model_without_a_price_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as server:
        name = f"{server.url}/v1#m"
        assert main(["ask", "Hi", "--model", name, "--spend-limit", "1"]) == 2
        assert server.asked == []
    assert capsys.readouterr().err.startswith(f"tutti: No price is known for {name};")
