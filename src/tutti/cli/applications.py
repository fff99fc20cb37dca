"""The applications that `tutti serve --app` knows: a lazy table, so that only those which are named are imported."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tutti.errors import InputError
from tutti.interfaces import Provider

if TYPE_CHECKING:
    from tutti.serve.applications import Application

APPLICATIONS: dict[str, str] = {
    "moderation": "tutti.apps.moderation.http:open_moderation",
    "shop": "tutti.apps.shop.http:open_shop",
    "radiology": "tutti.apps.radiology.http:open_radiology",
}
"""Name → `module:function`. The function takes the model that is served (`Provider`) and where the application keeps or
finds what it works on (a path, or None where none was given), and returns a `tutti.serve.applications.Application`."""


def open_applications(given: Sequence[str], provider: Provider) -> list[Application]:
    """The applications that were named.

    Args:
        given: Each `NAME`, or `NAME=WHERE`.
        provider: The model that is served.

    Raises:
        InputError: A name is not known, or the application cannot be opened.
    """
    opened = []
    for name, where in named_applications(given).items():
        module, _, function = APPLICATIONS[name].partition(":")
        opened.append(getattr(importlib.import_module(module), function)(provider, where))
    return opened


def named_applications(given: Sequence[str]) -> dict[str, str | None]:
    """What `--app` was given, checked before a model is loaded: name → where, or None.

    Raises:
        InputError: A name is not in the table, or is given twice.
    """
    found: dict[str, str | None] = {}
    for word in given:
        name, _, where = word.partition("=")
        if name not in APPLICATIONS:
            known = ", ".join(APPLICATIONS) or "none yet"
            raise InputError(f"There is no application {name!r}; known are: {known}.")
        if name in found:
            raise InputError(f"--app {name} was given twice; expected each application once.")
        found[name] = where or None
    return found
