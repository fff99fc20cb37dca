"""Keys: where they come from, and that they are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutti.errors import InputError
from tutti.model import load
from tutti.providers.keys import Key, find_key
from tutti.settings import Settings, read_settings


def settings(file: Path, **keys: str) -> Settings:
    return Settings(keys_file=str(file), hosted_keys=keys)


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('openai = "from-file"\n')
    file.chmod(0o600)
    assert find_key("openai", settings(file)).reveal() == "from-file"
    assert find_key("openai", settings(file, openai="from-environment")).reveal() == "from-environment"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_others_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('openai = "secret"\n')
    file.chmod(mode)
    with pytest.raises(InputError) as caught:
        find_key("openai", settings(file))
    assert str(caught.value) == f"{file} can be read by others; run: chmod 600 {file}"


@pytest.mark.parametrize("content", [b'openai = "secret', b"openai = 3", b"\xff\xfe"])
def test_a_broken_file_is_refused_without_quoting_it(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(InputError) as caught:
        find_key("openai", settings(file))
    assert "secret" not in str(caught.value)


def test_no_key_at_all(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    with pytest.raises(InputError) as caught:
        find_key("gemini", settings(file))
    assert str(caught.value) == (
        f'There is no key for gemini; set GEMINI_API_KEY, or write gemini = "…" into {file} (mode 0600).'
    )


def test_printing_a_key_or_the_settings_shows_nothing(tmp_path: Path) -> None:
    assert "secret" not in repr(Key("secret")) + str(Key("secret"))
    assert "secret" not in repr(settings(tmp_path, openai="secret"))


def test_names_of_hosted_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUTTI_KEYS_FILE", str(tmp_path / "none"))
    for name in ("OPENAI", "ANTHROPIC", "GEMINI", "TUTTI_SERVER"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    for name in ("openai:gpt-4o", "anthropic:claude", "gemini:flash"):
        with pytest.raises(InputError, match=f"There is no key for {name.partition(':')[0]};"):
            load(name)
    with pytest.raises(InputError, match=r"names no model; expected an address such as"):
        load("http://localhost:8000/v1")
    with pytest.raises(InputError, match=r"^quantize was given for openai:gpt-4o, whose weights are elsewhere"):
        load("openai:gpt-4o", quantize="int4")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert read_settings().hosted_keys == {"openai": "k"}
    assert load("openai:gpt-4o").name == "openai:gpt-4o"
    assert load("http://127.0.0.1:9/v1#m").name == "http://127.0.0.1:9/v1#m"
