"""Any configuration as plain values, so that a run folder can record it and compare it in another process.

`repr` would not do: it may hold addresses, which differ between processes, and paths, which tell about the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

LONGEST = 64
"""Items of a list that are written out."""


def plain(value: Any) -> Any:
    """The value as what JSON knows.

    Paths are reduced to their last name. Dataclasses, and objects with a `describe` or `__repr__` of their own, tell
    about themselves; an array is its type and shape; anything else is the name of its class or function. Fields that
    are None are left out, so that a setting added later does not make an older run another one. Of a long list its
    length and digest are kept.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Path(value).name if isinstance(value, os.PathLike) or Path(value).is_absolute() else value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        digest = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()[:16]
        return items if len(items) <= LONGEST else f"{len(items)} items, SHA-256 {digest}"
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return _named(value)


def _named(value: Any) -> Any:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}"
    if hasattr(value, "__qualname__"):
        return _name(value)
    if isinstance(value, partial):
        return {"function": _name(value.func), "given": plain([*value.args, dict(value.keywords)])}
    if callable(getattr(value, "describe", None)):
        return plain(value.describe())
    own = vars(type(value)).get("__repr__")
    if own is not None and not hasattr(own, "__wrapped__"):  # a dataclass's is wrapped
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    if is_dataclass(value):
        told = {field.name: getattr(value, field.name) for field in fields(value) if field.repr}
        return {"type": _name(type(value)), **plain(told)}
    return _name(type(value))


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
