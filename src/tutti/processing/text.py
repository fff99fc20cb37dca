"""Inputs of models that read text only."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import ToolCall
from tutti.errors import InputError, UnsupportedTask
from tutti.processing.chat import ChatTemplate
from tutti.processing.prompt import MediaInput, Processor, Prompt, TaughtDialogue, ToolUse, Turns, View
from tutti.processing.tokenizer import Tokenizer
from tutti.processing.tool_forms import CallForm, form_of


@dataclass(frozen=True)
class TextProcessor(Processor):
    """A tokenizer, and the chat template where the checkpoint has one."""

    tokenizer: Tokenizer
    chat: ChatTemplate | None = None
    eos_ids: frozenset[int] = frozenset()
    """Tokens that end an answer."""

    def decode(self, ids: list[int]) -> str:
        """The text of an answer."""
        return self.tokenizer.decode(ids)

    def json_tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        return self.tokenizer

    @cached_property
    def call_form(self) -> CallForm | None:
        """How the chat template writes calls."""
        return form_of(self.chat.source, self.tokenizer) if self.chat is not None else None

    def prompt(self, turns: Turns) -> Prompt:
        """A conversation as token ids, ready for the model's turn.

        Without a chat template the model continues the text of the only turn.

        Raises:
            InputError: The conversation is empty, or does not suit the model.
            UnsupportedTask: It holds media, or several turns and no template says how to write them.
        """
        return self.written_prompt(turns, ToolUse())

    def tool_prompt(self, turns: Turns, use: ToolUse) -> Prompt:
        """The same with tools, their calls and their answers. Errors as for `prompt`, or the template takes none."""
        if self.call_form is None:
            return super().tool_prompt(turns, use)
        return self.written_prompt(turns, use)

    def written_prompt(self, turns: Turns, use: ToolUse) -> Prompt:
        """What `prompt` and `tool_prompt` share."""
        for _, pieces in turns:
            if media := [piece.modality for piece in pieces if not isinstance(piece, str)]:
                raise UnsupportedTask(f"This model reads text only, and was given {media[0]}", "ask", media[0])
        words = Words(self.tokenizer)
        texts = [
            (role, "\n".join(words.hide(piece) for piece in pieces if isinstance(piece, str))) for role, pieces in turns
        ]
        check_turns(self.chat, texts)
        if self.chat is None:
            ids = words.encode(texts[0][1], add_special=True)
        else:
            ids = words.encode(self.render(texts, use, words))
        return Prompt(np.array([token for piece, _ in ids for token in piece], np.int64))

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A whole conversation as token ids, and which of them the assistant says. Errors as for `Processor`."""
        for _, pieces in turns:
            if media := [piece.modality for piece in pieces if not isinstance(piece, str)]:
                raise UnsupportedTask(f"This model reads text only, and was given {media[0]}", "ask", media[0])
        words = Words(self.tokenizer)
        texts = [
            (role, "\n".join(words.hide(piece) for piece in pieces if isinstance(piece, str))) for role, pieces in turns
        ]
        check_taught(texts, one_question=self.chat is None)
        if self.chat is None:
            text = continued_pair(texts[0][1], texts[1][1], words)
        else:
            text = taught_text(self.chat, [{"role": role, "content": text} for role, text in texts], words)
        encoded, said = words.encode_said(text, add_special=self.chat is None)
        ids = np.array([token for piece, _ in encoded for token in piece], np.int64)
        return ended(TaughtDialogue(Prompt(ids), said), self.eos_ids)

    def render(self, turns: Sequence[tuple[str, Any]], use: ToolUse, words: Words) -> str:
        """The conversation through the template.

        Args:
            turns: Role, and content as the template expects it.
            use: Tools, calls and answers of tools.
            words: Hides special tokens that are spelled out in them.

        Raises:
            InputError: The template refuses the conversation, or the arguments of a call are no JSON object.
        """
        if self.chat is None:
            raise InputError("This checkpoint has no chat template; ask one question alone.")
        form, names = self.call_form or CallForm(), {one.id: one.name for some in use.calls.values() for one in some}
        messages: list[dict[str, Any]] = []
        for number, (role, content) in enumerate(turns):
            message = {"role": role, "content": content}
            if calls := use.calls.get(number):
                message["tool_calls"] = [_call(call, form, words) for call in calls]
            if (answered := use.answers.get(number)) is not None:
                message |= {"tool_call_id": form.call_id(answered), "name": names.get(answered, "")}
            messages.append(message)
        return self.chat.render(messages, tools=[words.hide_in(tool.to_function()) for tool in use.tools])


def _call(call: ToolCall, form: CallForm, words: Words) -> dict[str, Any]:
    """A call as templates expect it, its arguments as values."""
    function = {"name": call.name, "arguments": words.hide_in(call.values())}
    return {"type": "function", "id": form.call_id(call.id), "function": function}


def check_turns(chat: ChatTemplate | None, texts: Sequence[tuple[str, str]]) -> None:
    """Refuse a conversation that cannot be written down.

    Args:
        chat: The template, if there is one.
        texts: Role and words of each turn.

    Raises:
        InputError: There is no question.
        UnsupportedTask: There are several turns and no template that says how to write them.
    """
    if not texts or (texts[-1][0] != "tool" and not texts[-1][1].strip()):
        raise InputError("The question is empty; expected some text.")
    if chat is None and len(texts) > 1:
        raise UnsupportedTask(
            "This checkpoint has no chat template, so it continues one text and holds no conversation; "
            "ask one question without a system message, or use tutti-mini."
        )


def check_taught(turns: Sequence[tuple[str, str]], *, one_question: bool = False) -> None:
    """Refuse a conversation that teaches nothing or cannot be written down.

    Args:
        turns: Role and text of each turn.
        one_question: Whether nothing but a question and its answer can be written down.

    Raises:
        InputError: It does not end with an answer, or an answer is empty.
        UnsupportedTask: There are several questions and no template that says how to write them.
    """
    if not turns or turns[-1][0] != "assistant":
        raise InputError("The conversation does not end with the assistant's turn; expected an answer to learn.")
    if turns[0][0] == "assistant":
        raise InputError("The conversation begins with the assistant's turn; expected a question before it.")
    if any(role == "assistant" and not text.strip() for role, text in turns):
        raise InputError("An answer of the conversation is empty; expected words to learn.")
    if one_question and len(turns) != 2:
        raise UnsupportedTask(
            "This checkpoint has no chat template, so it learns one question with its answer at a time; "
            "leave out system messages and further turns, or add a chat_template.jinja to the folder."
        )


def continued_pair(question: str, answer: str, words: Words) -> str:
    """A question and the answer that continues it, without a template, the answer between the marks of `words`."""
    space = "" if question[-1:].isspace() or answer[:1].isspace() else " "
    return f"{question}{words.begin}{space}{answer}{words.end}"


def taught_text(chat: ChatTemplate, messages: Sequence[Mapping[str, Any]], words: Words) -> str:
    """A conversation as the template writes it, what the assistant says between the marks of `words`.

    What it says is what the template marks itself (`{% generation %}`), otherwise what an answer adds to the text that
    asks for it, as TRL takes prompt and completion apart.

    Raises:
        InputError: The template writes a turn otherwise once another follows, so that no place is its answer's.
    """
    if chat.marks_answers:
        return chat.render(messages, add_generation_prompt=False, marks=(words.begin, words.end))
    whole = chat.render(messages, add_generation_prompt=False)
    pieces, at = [], 0
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = chat.render(messages[:number])
        behind = chat.render(messages[: number + 1], add_generation_prompt=False)
        if not (behind.startswith(before) and whole.startswith(behind)):
            raise InputError(
                f"The chat template writes turn {number + 1} otherwise when it asks for it than when it holds it, so "
                "that the answer's place is not known; mark answers with {% generation %} in the template."
            )
        pieces += [whole[at : len(before)], words.begin, whole[len(before) : len(behind)], words.end]
        at = len(behind)
    return "".join([*pieces, whole[at:]])


def ended(taught: TaughtDialogue, eos_ids: frozenset[int]) -> TaughtDialogue:
    """The same, where the last answer ends with a token that ends answers and that is learned, if the model has one.

    Raises:
        InputError: Nothing in the conversation is the assistant's.
    """
    (ids, media, starts, views), said = _fields(taught.prompt), taught.said.copy()
    if not said.any():
        raise InputError("Nothing in the conversation is the assistant's by the chat template; expected an answer.")
    stop = int(np.flatnonzero(said)[-1]) + 1
    others = np.flatnonzero(~said[:stop])
    first = int(others[-1]) + 1 if len(others) else 0
    if not eos_ids or eos_ids & set(ids[first:stop].tolist()):
        return taught
    if stop < len(ids) and int(ids[stop]) in eos_ids:
        said[stop] = True
        return TaughtDialogue(taught.prompt, said)
    length = len(ids)
    ids, said = np.append(ids[:stop], min(eos_ids)), np.append(said[:stop], True)
    views = tuple(view._replace(stop=len(ids)) if view.stop == length else view for view in views)
    return TaughtDialogue(Prompt(ids, media, starts, views), said)


def _fields(prompt: Prompt) -> tuple[NDArray[np.int64], tuple[MediaInput, ...], tuple[int, ...], tuple[View, ...]]:
    return prompt.input_ids, prompt.media, prompt.starts, prompt.views


class Words:
    """What people wrote, so that special tokens spelled out in it stay text.

    A user who writes "<|assistant|>" must not open the assistant's turn. Each such place is hidden behind a mark that
    nobody can guess while the template is rendered, and encoded by itself.

    Args:
        tokenizer: Whose special tokens are hidden.
        more: Further strings to hide.
    """

    def __init__(self, tokenizer: Tokenizer, more: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._special = re.compile("|".join(map(re.escape, (*tokenizer.special_tokens, *more))) or "(?!)")
        self.media: list[MediaInput] = []
        """Media that were hidden."""
        self._spelled: list[str] = []
        self._nonce = secrets.token_hex(8)
        self.begin, self.end = f"{self._nonce}b", f"{self._nonce}e"
        """Marks before and behind what is learned, in texts for `encode_said`."""

    def hide(self, piece: str | MediaInput) -> str:
        """The text with marks in the place of special tokens; of a medium nothing but a mark."""
        if not isinstance(piece, str):
            self.media.append(piece)
            return f"{self._nonce}m{len(self.media) - 1}m"

        def mark(found: re.Match[str]) -> str:
            self._spelled.append(found.group())
            return f"{self._nonce}x{len(self._spelled) - 1}x"

        return self._special.sub(mark, piece)

    def hide_in(self, values: Any) -> Any:
        """Plain values, the texts in them hidden as `hide` does."""
        if isinstance(values, str):
            return self.hide(values)
        if isinstance(values, Mapping):
            return {self.hide(str(key)): self.hide_in(value) for key, value in values.items()}
        if isinstance(values, (list, tuple)):
            return [self.hide_in(value) for value in values]
        return values

    @property
    def places(self) -> str:
        """Regular expression of the marks of media, whose group is the number in `media`."""
        return f"{self._nonce}m([0-9]+)m"

    def encode(self, rendered: str, *, add_special: bool = False) -> list[tuple[list[int], bool]]:
        """Token ids piece by piece, and of each whether its special tokens are the template's.

        Args:
            rendered: Text of the template, with marks in it.
            add_special: Add what the tokenizer puts before a text.
        """
        pieces: list[tuple[list[int], bool]] = []
        for text, ours, first, _ in self._pieces(rendered):
            ids = self._tokenizer.encode(text, add_special=add_special and not first, parse_special=ours)
            pieces.append((ids, ours))
        return pieces

    def encode_said(
        self, rendered: str, *, add_special: bool = False
    ) -> tuple[list[tuple[list[int], bool]], NDArray[np.bool_]]:
        """As `encode`, and of all tokens whether they stand between `begin` and `end`: (T,).

        As in the reference, those are all from the token of the first character to the token of the last.
        """
        spans, text, starts = [], "", []
        for index, piece in enumerate(re.split(f"{self._nonce}([be])", rendered)):
            if index % 2 == 0:
                text += piece
            elif piece == "b":
                starts.append(len(text))
            else:
                spans.append((starts.pop(), len(text)))
        pieces: list[tuple[list[int], bool]] = []
        places: list[tuple[int, int]] = []
        for piece, ours, first, width in self._pieces(text):
            ids, offsets = self._tokenizer.encode_spans(
                piece, add_special=add_special and not first, parse_special=ours
            )
            pieces.append((ids, ours))
            places += [(first + start, first + stop) if ours else (first, first + width) for start, stop in offsets]
        said = np.zeros(len(places), bool)
        bounds = np.array(places, np.int64).reshape(-1, 2)
        for start, stop in spans:
            inside = (bounds[:, 0] < stop) & (bounds[:, 1] > start) & (bounds[:, 1] > bounds[:, 0])
            if inside.any():
                where = np.flatnonzero(inside)
                said[where[0] : where[-1] + 1] = True
        return pieces, said

    def _pieces(self, rendered: str) -> Iterator[tuple[str, bool, int, int]]:
        """Text, whether it is the template's, where it begins in what was rendered, and how many characters it took."""
        at = 0
        for index, piece in enumerate(re.split(f"{self._nonce}x([0-9]+)x", rendered)):
            ours = not index % 2
            text = piece if ours else self._spelled[int(piece)]
            width = len(piece) if ours else len(f"{self._nonce}x{piece}x")
            yield text, ours, at, width
            at += width
