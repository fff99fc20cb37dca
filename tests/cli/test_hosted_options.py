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
