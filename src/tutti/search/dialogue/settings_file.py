"""Settings of the order of what fits, as they are written: words=2,colour=4, or a TOML file with such lines."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

from tutti.errors import InputError
from tutti.media.text_files import read_text
from tutti.search.dialogue.sifting import ShopSetting

_KNOWN = {part.name: part.type for part in fields(ShopSetting)}


def setting_of(text: str) -> ShopSetting:
    """Read a setting.

    Args:
        text: NAME=NUMBER, parted by commas; the path of a TOML file; or "default".

    Raises:
        InputError: A name is not known, or a value is no number that may be.
    """
    if text == "default":
        return ShopSetting()
    if text.endswith(".toml") or Path(text).is_file():
        try:
            given = tomllib.loads(read_text(text, 100_000))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{text} is not TOML: {error}.") from None
    else:
        pairs = [part.partition("=") for part in text.split(",")]
        given = {name.strip(): value.strip() for name, _, value in pairs}
    values = {name: _number(name, value) for name, value in given.items()}
    return ShopSetting(**values)  # type: ignore[arg-type]


def _number(name: str, value: object) -> float | int:
    if name not in _KNOWN:
        raise InputError(f"There is no setting {name!r}; known are: {', '.join(_KNOWN)}.")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"The setting {name} is {value!r}; expected a number.") from None
    if not 0 <= number <= 1000 or (name == "top" and not (number >= 1 and number.is_integer())):
        raise InputError(f"The setting {name} is {value}; expected a number from 0 to 1000, and top whole, from 1.")
    return int(number) if name == "top" else number
