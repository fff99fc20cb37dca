"""Text to token ids and back, as `tokenizer.json` says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import tokenizers
from tokenizers import decoders

from tutti.errors import InputError

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_CLOSING = frozenset(".,?!:;)%'-")
"""Marks that follow a word without a space."""
_CONTRACTED = frozenset({"s", "t", "m", "d", "re", "ve", "ll"})
"""What follows an apostrophe without a space."""


class Tokenizer:
    """A `tokenizer.json`.

    Args:
        tokenizer: The tokenizer as `tokenizers` reads it; padding and truncation are switched off in it.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._word_pieces = isinstance(tokenizer.decoder, decoders.WordPiece)
        added = tokenizer.get_added_tokens_decoder()
        self.special_ids = frozenset(token for token, entry in added.items() if entry.special)
        """Tokens that mark structure and are no part of a text."""
        self.special_tokens = tuple(sorted((entry.content for entry in added.values() if entry.special), key=len)[::-1])
        """How they are spelled, the longest first."""

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Tokenizer:
        """Read a `tokenizer.json`.

        Raises:
            InputError: The file cannot be read or is not a tokenizer.
        """
        try:
            content = Path(path).read_bytes()
        except FileNotFoundError:
            raise InputError(
                f"There is no {path}; expected the tokenizer in that form. Where a checkpoint has others (vocab.json, "
                'tokenizer.model), write it once with transformers: AutoTokenizer.from_pretrained("MODEL")'
                '.save_pretrained("FOLDER").'
            ) from None
        except OSError as error:
            raise InputError(f"The tokenizer {path} cannot be read: {error.strerror}.") from None
        return cls.from_bytes(content, name=str(path))

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "tokenizer.json") -> Tokenizer:
        """Read the content of a `tokenizer.json`.

        Raises:
            InputError: It is not a tokenizer.
        """
        try:
            tokenizer = tokenizers.Tokenizer.from_buffer(content)
        except Exception as error:  # noqa: BLE001 – the library raises nothing narrower
            raise InputError(f"{name} is not a tokenizer in the form of tokenizers.json: {error}.") from None
        return cls(tokenizer)

    def with_special_token(self, token: str) -> Tokenizer:
        """The same with one more special token; a token that it has already becomes special."""
        made = tokenizers.Tokenizer.from_str(self.to_json())
        made.add_special_tokens([tokenizers.AddedToken(token, normalized=False, special=True)])
        return Tokenizer(made)

    @property
    def unknown_id(self) -> int | None:
        """The token that stands for what the vocabulary lacks; None where it lacks nothing."""
        model = self._tokenizer.model
        if isinstance(model, tokenizers.models.Unigram):
            found = json.loads(self._tokenizer.to_str())["model"].get("unk_id")
            return None if found is None else int(found)
        token = getattr(model, "unk_token", None)
        return None if token is None else self._tokenizer.token_to_id(token)

    @property
    def vocab_size(self) -> int:
        """V, added tokens included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def token_id(self, token: str) -> int:
        """The id of a token.

        Raises:
            InputError: There is no such token.
        """
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise InputError(f"The tokenizer has no token {token!r}.")
        return found

    def token(self, token_id: int) -> str:
        """How a token is written.

        Raises:
            InputError: There is no such token.
        """
        found = self._tokenizer.id_to_token(token_id)
        if found is None:
            raise InputError(f"The tokenizer has no token of id {token_id}; it is of another model.")
        return found

    def encode(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        """Token ids of a text.

        Args:
            text: Any text.
            add_special: Add what the tokenizer puts around a text ("[CLS] … [SEP]").
            parse_special: Read special tokens spelled out in the text as such. Only for our own text, as a rendered
                chat template: a user who writes "<|assistant|>" must not open the assistant's turn.

        Raises:
            InputError: The text has characters that are not Unicode (lone surrogates).
        """
        return self._encoding(text, add_special, parse_special).ids

    def encode_spans(
        self, text: str, *, add_special: bool = False, parse_special: bool = False
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a text, and of each the first character that it stands for and the one behind the last.

        Arguments and errors as for `encode`. A token that stands for no character of the text has two equal numbers.
        """
        found = self._encoding(text, add_special, parse_special)
        return found.ids, found.offsets

    def _encoding(self, text: str, add_special: bool, parse_special: bool) -> tokenizers.Encoding:
        try:
            with self._lock:  # the choice is a switch on the tokenizer, not an argument
                self._tokenizer.encode_special_tokens = not parse_special
                return self._tokenizer.encode(text, add_special_tokens=add_special)
        except (UnicodeEncodeError, TypeError):
            raise InputError("The text holds characters that are not Unicode; expected valid text.") from None

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; special tokens are left out.

        Text of word pieces gets its spaces around punctuation back as one writes English. A longer text starts with the
        text of its beginning, but for the last character where that is not complete.
        """
        plain = [token for token in ids if token not in self.special_ids]
        if self._word_pieces:
            return _join_word_pieces([token for item in plain if (token := self._tokenizer.id_to_token(item))])
        return self._tokenizer.decode(plain, skip_special_tokens=False)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Pieces of text as token ids come; together they are `decode` of all."""
        stream = Detokenizer(self)
        for token in ids:
            if piece := stream.push(token):
                yield piece
        if piece := stream.finish():
            yield piece

    def word_pieces(self) -> list[str] | None:
        """The spelling of every token where they are word pieces ("##ing" continues a word), None elsewhere."""
        if not self._word_pieces:
            return None
        return [self._tokenizer.id_to_token(token) or "" for token in range(self.vocab_size)]

    def to_json(self) -> str:
        """The content of its `tokenizer.json`."""
        return self._tokenizer.to_str()

    def has_text(self, token: int) -> bool:
        """Whether a token exists and is not a special one."""
        return token not in self.special_ids and self._tokenizer.id_to_token(token) is not None

    def ends_inside_bytes(self, token: int) -> bool:
        """Whether a token is a single byte, whose meaning the next token may change."""
        return bool(_BYTE.fullmatch(self._tokenizer.id_to_token(token) or ""))


class Detokenizer:
    """Text of a growing list of tokens, at a cost per token that does not grow.

    Kept are the tokens of the last piece as context, and those that gave no text yet.

    Args:
        tokenizer: Whose tokens they are.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._context: list[int] = []
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        """Add a token; the piece of text that is certain now, perhaps none."""
        if not self._tokenizer.has_text(token):
            return ""
        self._pending.append(token)
        if self._tokenizer.ends_inside_bytes(token):
            return ""
        piece = self._piece()
        if not piece or piece.endswith(_INCOMPLETE):
            return ""
        # Three tokens are as far back as spacing looks.
        self._context, self._pending = [*self._context, *self._pending][-max(3, len(self._pending)) :], []
        return piece

    def finish(self) -> str:
        """The rest, at the end: perhaps an incomplete character."""
        piece = self._piece()
        self._context, self._pending = [], []
        return piece

    def _piece(self) -> str:
        before = self._tokenizer.decode(self._context)
        return self._tokenizer.decode([*self._context, *self._pending])[len(before) :]


def _join_word_pieces(tokens: Sequence[str]) -> str:
    """Words from pieces. Whether a space stands before a piece depends on what precedes it only."""
    text: list[str] = []
    for index, token in enumerate(tokens):
        if token.startswith("##") and index:
            text.append(token[2:])
            continue
        last = tokens[index - 1] if index else ""
        joined = (
            not index
            or token in _CLOSING
            or last in ("(", "-")
            or (last == "'" and token in _CONTRACTED)
            or (last in (".", ":") and token.isdigit() and index > 1 and tokens[index - 2].isdigit())
        )
        text.append(token if joined else " " + token)
    return "".join(text)
