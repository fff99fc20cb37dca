"""Keys of hosted models: from the environment or a file that only its owner can read, and never shown."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

from tutti.errors import InputError
from tutti.settings import Settings

MOST_KEY_BYTES = 65536


class Key:
    """A secret. Printing it shows that there is one, and nothing of it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the client that sends it."""
        return self._value

    def hidden_in(self, text: str) -> str:
        """A text without the secret, should it hold it."""
        return text.replace(self._value, "[key]") if self._value else text

    def __repr__(self) -> str:
        return "Key([hidden])"


def find_key(provider: str, settings: Settings) -> Key:
    """The key of a provider: that of the environment, else that of the file of keys.

    Args:
        provider: openai, anthropic or gemini.
        settings: The environment.

    Raises:
        InputError: There is none, or the file of keys can be read by others or is broken.
    """
    variable = f"{provider.upper()}_API_KEY"
    value = settings.hosted_keys.get(provider) or _stored(Path(settings.keys_file).expanduser()).get(provider)
    if not value:
        raise InputError(
            f'There is no key for {provider}; set {variable}, or write {provider} = "…" into '
            f"{settings.keys_file} (mode 0600)."
        )
    return Key(value)


def _stored(file: Path) -> dict[str, str]:
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(f"{file} can be read by others; run: chmod 600 {file}")
            values = tomllib.loads(stream.read(MOST_KEY_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror or error}.") from None
    except ValueError:  # tomllib's error and UnicodeDecodeError both are; neither may quote the content
        raise InputError(f'{file} is not TOML; expected lines such as: openai = "…"') from None
    if wrong := [name for name, value in values.items() if not isinstance(value, str)]:
        raise InputError(f'{file}: {wrong[0]} is not text; expected lines such as: openai = "…"')
    return values
