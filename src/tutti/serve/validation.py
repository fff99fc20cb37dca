"""Bodies that do not fit a schema: the first thing wrong, by its whole path, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from tutti.serve.errors import ErrorStatus, respond
from tutti.serve.schemas.parts import PART_TYPES

_OWN = ("not_kept", "no_input", "too_many", "token_ids")
"""Errors that the schemas raise themselves; their text continues the path."""
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?")
_SHOULD = "Input should be "
_PLAIN = {
    "extra_forbidden": "is not a field that this server knows; GET /openapi.json lists the fields",
    "missing": "is missing; expected as in GET /openapi.json",
}


def respond_to_validation(error: RequestValidationError, path: str) -> JSONResponse:
    """The error over HTTP, in the dialect of a route."""
    errors = error.errors()
    first = max(errors, key=_progress)
    place = _place(first, error.body)
    others = [one for one in errors if _place(one, error.body) == place]
    kind = ErrorStatus(400, "invalid_request_error", first.get("type"))
    return respond(kind, _sentence(first, place, others), path, place or None)


def _progress(error: Mapping[str, Any]) -> tuple[bool, int, bool]:
    """How far the checks came: a union fails in each of its ways, and the way that got furthest is what was meant."""
    what = str(error.get("type"))
    return what.startswith("union_tag"), len(error.get("loc", ())), not what.endswith("_type")


def _place(first: Mapping[str, Any], body: Any) -> str:
    """Where in the body, in the form `messages[0].content[1].image_url`.

    The framework names the ways of unions between the fields; what is no field of the body is no part of the path.
    """
    text = ""
    value: Any = body if isinstance(body, (Mapping, list)) else {}
    steps = first.get("loc", ())[1:]
    missing = len(steps) - 1 if first.get("type") == "missing" else None
    for place, step in enumerate(steps):
        if isinstance(value, list) and isinstance(step, int):
            text += f"[{step}]"
            value = value[step] if step < len(value) else None
        elif isinstance(value, Mapping) and (step in value or place == missing):
            text += f".{step}" if text else str(step)
            value = value.get(step)
    return text


def _sentence(first: Mapping[str, Any], place: str, others: Sequence[Mapping[str, Any]]) -> str:
    what, context = str(first.get("type")), first.get("ctx", {})
    where = place or "The body"
    message = str(first.get("msg", "is not valid"))[:300]
    if what == "json_invalid":
        return f"The body is no JSON: {context.get('error', message)} at character {first.get('loc', (0, 0))[-1]}."
    if what == "model_attributes_type" and not place:
        return "The body is no JSON object; expected one, with the header content-type: application/json."
    if what in ("union_tag_invalid", "union_tag_not_found"):
        return _untagged(where, context)
    if what in _PLAIN:
        return f"{where} {_PLAIN[what]}."
    if what in ("too_short", "too_long") and isinstance(first.get("input"), list):
        return f"{where} holds {len(first['input']):,}; expected {_bound(context)}."
    if what in _OWN:
        return f"{where} {message}."
    if message.startswith(_SHOULD):
        return f"{where}: expected {_expected(others)}{_found(first.get('input'))}."
    return f"{where}: {message[:1].lower() if message[1:2].islower() else message[:1]}{message[1:]}."


def _bound(context: Mapping[str, Any]) -> str:
    """How many there may be in a list."""
    return f"at least {context['min_length']}" if "min_length" in context else f"at most {context['max_length']:,}"


def _untagged(where: str, context: Mapping[str, Any]) -> str:
    found = context.get("tag")
    named = f"is of type {str(found)[:40]!r}, which is not known" if found is not None else "has no type"
    known = str(context.get("expected_tags", "")).replace("'", "") or ", ".join(PART_TYPES)
    return f"{where} {named}; known are: {known}."


def _expected(errors: Sequence[Mapping[str, Any]]) -> str:
    """What would do in the place, where a union has several ways."""
    ways = [str(one["msg"])[:300] for one in errors if str(one.get("msg", "")).startswith(_SHOULD)]
    return " or ".join(dict.fromkeys(way.removeprefix(_SHOULD) for way in ways))


def _found(value: Any) -> str:
    """What is there, where that is short enough to say."""
    if isinstance(value, (bool, int, float)) or value is None:
        return f", found {'null' if value is None else str(value).lower()[:40]}"
    if isinstance(value, str) and _NUMBER.fullmatch(value):  # forms have texts only
        return f", found {value}"
    kinds = {str: "a text", list: "a list", dict: "an object"}
    return next((f", found {name}" for kind, name in kinds.items() if isinstance(value, kind)), "")
