"""The environment: every variable is read, known to the help, and refused in a sentence when it makes no sense."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import tutti
from tutti import settings
from tutti.cli.main import main
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, wrap
from tutti.settings import Settings, read_settings

NAMES = sorted(set(re.findall(r"TUTTI_[A-Z_]+", Path(settings.__file__).read_text(encoding="utf-8"))))
TEXTS = (
    "TUTTI_MODEL",
    "TUTTI_DEVICE",
    "TUTTI_PRIVACY",
    "TUTTI_API_KEYS",
    "TUTTI_KEYS_FILE",
    "TUTTI_CACHE_FOLDER",
    "TUTTI_SERVER_API_KEY",
    "TUTTI_VAULT_KEY",
)
NUMBERS = [name for name in NAMES if name not in TEXTS]


def test_an_empty_environment_leaves_the_defaults() -> None:
    assert read_settings() == Settings()
    assert Limits.from_settings(read_settings()) == Limits()


def test_every_variable_has_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "model": "some/folder",
        "device": "cuda:1",
        "threads": 2,
        "api_keys": "a:b",
        "keys_file": "some/keys.toml",
        "cache_folder": "some/cache",
        "vault_key": "env:SOME",
        "embedding_bytes": 7,
        "second_form_bytes": 8,
        "max_pixels": 100,
        "max_seconds": 2.5,
        "max_stream_seconds": 3.5,
        "max_pages": 5,
        "privacy": "some/policy.toml",
        "max_bytes": 300,
    }
    assert {field.name for field in fields(Settings)} == {*given, "hosted_keys"}
    assert sorted({*(f"TUTTI_{name.upper()}" for name in given), "TUTTI_SERVER_API_KEY"}) == NAMES
    for name, value in given.items():
        monkeypatch.setenv(f"TUTTI_{name.upper()}", str(value))
    assert read_settings() == Settings(**given)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(("value", "expected"), [("many", "a number:"), ("0", "above zero"), ("nan", "above zero")])
def test_what_is_no_amount_is_refused(name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"^{name} is '{value}'; expected .*{expected}"):
        read_settings()


@pytest.mark.parametrize("name", [name for name in NUMBERS if not name.endswith("SECONDS")])
@pytest.mark.parametrize("value", ["0.5", "inf"])
def test_what_is_counted_is_whole(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"^{name} is '{value}'; expected a whole number\.$"):
        read_settings()


@pytest.mark.parametrize("name", NUMBERS)
def test_empty_is_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert read_settings() == Settings()


def test_the_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert sorted(re.findall(r"^  (TUTTI_\w+)", capsys.readouterr().out, re.MULTILINE)) == NAMES


def test_the_budget_of_bytes_holds_from_the_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "picture.gif"
    file.write_bytes(b"GIF89a" + bytes(94))
    monkeypatch.setenv("TUTTI_MAX_BYTES", "99")
    with pytest.raises(CapacityError, match=r"picture\.gif has 100 bytes; the limit is 99:"):
        wrap(file)


def test_the_model_that_is_named_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_MODEL", "named-by-the-environment")
    with pytest.raises(InputError, match="named-by-the-environment"):
        tutti.load()
