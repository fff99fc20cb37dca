"""How families write calls of tools, as their chat templates show: the text around a name and its arguments.

Sources: the templates of the checkpoints. Qwen2.5 (and Hermes): `<tool_call>`, a line, an object with `name` and
`arguments`, a line, `</tool_call>`. Mistral: the token `[TOOL_CALLS]` and a list of such objects, or, in newer ones,
`[TOOL_CALLS]NAME[ARGS]` and the arguments. Llama 3: an object with `name` and `parameters` and nothing around it, one
in an answer. Models of every family fall back to the bare object now and then, so it is read of all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tutti.processing.tokenizer import Tokenizer

_ID_LETTERS = 9
_FENCES = ("", "```json", "```")


@dataclass(frozen=True, kw_only=True)
class CallForm:
    """The form of one template."""

    marker: str = ""
    """By what calls are announced, as text; nothing where they are bare objects."""
    marker_id: int | None = None
    """The special token that the marker is, if it is one."""
    opening: tuple[str, ...] = ("{", '"name"', ":", '"')
    """What stands between the marker and the name, in pieces between which there may be spaces."""
    key: str = "arguments"
    """What arguments are called; nothing in the form that has none but a token."""
    closing: tuple[str, ...] = ("}",)
    """What follows the arguments."""
    listed: bool = False
    """Whether all calls stand in one list behind one marker."""
    named_id: int | None = None
    """The special token between name and arguments, in the form that has one."""
    parallel: bool = True
    """Whether the template can write several calls of one turn."""

    def call_id(self, given: str) -> str:
        """An id as all templates accept it: nine letters or digits."""
        if len(given) == _ID_LETTERS and given.isascii() and given.isalnum():
            return given
        return hashlib.sha256(given.encode(errors="replace")).hexdigest()[:_ID_LETTERS]

    @property
    def bare(self) -> CallForm:
        """The same call without anything around it."""
        return CallForm(key=self.key or "arguments", parallel=self.parallel)


class CallHead(NamedTuple):
    """How much of a call's beginning a text holds."""

    fits: bool
    """Whether the text is the beginning of a call, as far as it goes."""
    name: str | None = None
    """The tool, once its name is complete."""
    end: int | None = None
    """Where the arguments begin, once all before them is there."""
    begin: int = 0
    """Where the call begins: behind a fence of Markdown."""


def form_of(template: str, tokenizer: Tokenizer) -> CallForm | None:
    """The form in which a chat template writes calls; None if it takes no tools, or writes them in none that is known.

    Args:
        template: The template in Jinja.
        tokenizer: Of the checkpoint, which may have the marker as a special token.
    """
    if not re.search(r"\btools\b", template) or not re.search(r"\btool_calls\b", template):
        return None
    parallel = "single tool-call" not in template
    if "<tool_call>" in template:
        return CallForm(marker="<tool_call>", closing=("}", "</tool_call>"), parallel=parallel)
    if "[TOOL_CALLS]" in template:
        marker = _special(tokenizer, "[TOOL_CALLS]")
        if "[ARGS]" in template:
            named = _special(tokenizer, "[ARGS]")
            known = named is not None and marker is not None and "[CALL_ID]" not in template
            return _ARGS(marker, named) if known else None
        return CallForm(marker="[TOOL_CALLS]", marker_id=marker, listed=True, parallel=parallel)
    if re.search(r'"parameters\\?"', template):
        return CallForm(key="parameters", parallel=parallel)
    return None


def _ARGS(marker: int | None, named: int | None) -> CallForm:  # noqa: N802 - called as the token is
    return CallForm(marker="[TOOL_CALLS]", marker_id=marker, opening=(), key="", closing=(), named_id=named)


def _special(tokenizer: Tokenizer, token: str) -> int | None:
    return tokenizer.token_id(token) if token in tokenizer.special_tokens else None


def head_of(text: str, form: CallForm, names: Collection[str]) -> CallHead:
    """How far a text goes into a call that begins at its beginning, of one of some tools."""
    if form.named_id is not None:
        return _named(text, names)
    fences = _FENCES if not form.marker else ("",)
    found = [_head(text, fence, form, names) for fence in fences]
    return max(found, key=lambda head: (head.fits, head.end or 0, head.name is not None))


def _named(text: str, names: Collection[str]) -> CallHead:
    name, mark, _ = text.lstrip().partition("[ARGS]")
    if mark:
        return CallHead(name in names, name if name in names else None, text.index("[ARGS]") + len("[ARGS]"))
    return CallHead(any(f"{known}[ARGS]".startswith(name) for known in names))


def _head(text: str, fence: str, form: CallForm, names: Collection[str]) -> CallHead:
    place = _behind(text, 0, (fence,) if fence else ())
    begin = place or 0
    place = None if place is None else _behind(text, place, form.opening)
    if place is None:
        return CallHead(_begins(text, (*((fence,) if fence else ()), *form.opening)))
    name, quote, _ = text[place:].partition('"')
    if not quote:
        return CallHead(any(known.startswith(name) for known in names))
    if name not in names:
        return CallHead(fits=False)
    rest = (",", f'"{form.key}"', ":", "{")
    end = _behind(text, place + len(name) + 1, rest)
    if end is not None:
        return CallHead(True, name, end - 1, begin)
    return CallHead(_begins(text[place + len(name) + 1 :], rest), name, None, begin)


def _behind(text: str, place: int, pieces: Sequence[str]) -> int | None:
    """The place behind pieces between which there may be spaces; None if they are not all there."""
    for piece in pieces:
        place = len(text) - len(text[place:].lstrip())
        if not text.startswith(piece, place):
            return None
        place += len(piece)
    return place


def _begins(text: str, pieces: Sequence[str]) -> bool:
    """Whether a text is the beginning of such pieces."""
    for piece in pieces:
        text = text.lstrip()
        if len(text) < len(piece):
            return piece.startswith(text)
        if not text.startswith(piece):
            return False
        text = text[len(piece) :]
    return True
