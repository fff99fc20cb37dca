"""Inputs of models that read text only."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutti.errors import InputError, UnsupportedTask
from tutti.processing.chat import ChatTemplate
from tutti.processing.prompt import Prompt
from tutti.processing.tokenizer import Tokenizer


@dataclass(frozen=True)
class TextProcessor:
    """A tokenizer, and the chat template where the checkpoint has one."""

    tokenizer: Tokenizer
    chat: ChatTemplate | None = None

    @classmethod
    def from_folder(cls, path: Path) -> TextProcessor:
        """Read `tokenizer.json` and the chat template of a checkpoint.

        Raises:
            InputError: The tokenizer is missing or broken.
            UnsupportedConfig: The chat template cannot be read.
        """
        return cls(Tokenizer.from_file(path / "tokenizer.json"), ChatTemplate.from_folder(path))

    def prompt(self, turns: Sequence[tuple[str, Sequence[str]]]) -> Prompt:
        """A conversation as token ids, ready for the model's turn.

        Without a chat template the model continues the text of the only turn.

        Args:
            turns: Role and texts of each turn.

        Raises:
            InputError: The conversation is empty, or does not suit the model.
            UnsupportedTask: There are several turns and no template that says how to write them.
        """
        messages: list[Mapping[str, str]] = [{"role": role, "content": "\n".join(texts)} for role, texts in turns]
        if not messages or not messages[-1]["content"].strip():
            raise InputError("The question is empty; expected some text.")
        if self.chat is not None:
            ids = self._encode_chat(self.chat, messages)
        elif len(messages) == 1:
            ids = self.tokenizer.encode(messages[0]["content"], add_special=True)
        else:
            raise UnsupportedTask(
                "This checkpoint has no chat template, so it continues one text and holds no conversation; "
                "ask one question without a system message, or use tutti-mini."
            )
        return Prompt(np.array(ids, np.int64))

    def _encode_chat(self, chat: ChatTemplate, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Render and encode, so that special tokens spelled out in a message stay text.

        A user who writes "<|assistant|>" must not open the assistant's turn. Each such place is rendered as a mark that
        nobody can guess, and encoded by itself.
        """
        spelled: list[str] = []
        nonce = secrets.token_hex(8)

        def hide(found: re.Match[str]) -> str:
            spelled.append(found.group())
            return f"{nonce}x{len(spelled) - 1}x"

        special = re.compile("|".join(map(re.escape, self.tokenizer.special_tokens)) or "(?!)")
        hidden = [{**message, "content": special.sub(hide, message["content"])} for message in messages]
        ids: list[int] = []
        for index, piece in enumerate(re.split(f"{nonce}x([0-9]+)x", chat.render(hidden))):
            ids += self.tokenizer.encode(spelled[int(piece)] if index % 2 else piece, parse_special=not index % 2)
        return ids
