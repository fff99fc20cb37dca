"""Any configuration as plain values, so that a run folder can record it and compare it in another process.

`repr` would not do: it may hold addresses, which differ between processes, and paths, which tell about the machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """The value as what JSON knows.

    Paths are reduced to their last name. Dataclasses and objects with a `describe` method tell about themselves; an
    array is its type and shape; anything else is the name of its class or function. Fields that are None are left
    out, so that a setting added later does not make an older run another one.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Path(value).name if isinstance(value, os.PathLike) or Path(value).is_absolute() else value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return _named(value)


def _named(value: Any) -> Any:
    if isinstance(value, partial):
        return {"function": _name(value.func), "given": plain([*value.args, dict(value.keywords)])}
    if not isinstance(value, type) and callable(getattr(value, "describe", None)):
        return plain(value.describe())
    if is_dataclass(value) and not isinstance(value, type):
        told = {field.name: getattr(value, field.name) for field in fields(value) if field.repr}
        return {"type": _name(type(value)), **plain(told)}
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}"
    return _name(value if hasattr(value, "__qualname__") else type(value))


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
