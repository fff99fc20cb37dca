"""Answers that keep to a JSON schema: which tokens may come next, by the grammar of `llguidance` over the vocabulary.

Source: constrained decoding by a mask of tokens: Willard and Louf 2023; grammars: github.com/guidance-ai/llguidance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import llguidance
import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError
from tutti.processing.closed_schemas import closed
from tutti.processing.tokenizer import Tokenizer

_FOLLOWED = frozenset(",:;")
"""Marks behind which a word has a space before it."""
_RESERVED = re.compile(r"\[unused\d+\]")
"""Places that a vocabulary keeps free; they are no text."""
LARGEST_SCHEMA = 32_768
"""Characters; a larger schema takes seconds to compile."""


class JsonVocabulary:
    """A tokenizer's vocabulary as bytes, from which constraints are made.

    Byte-level and byte-fallback tokenizers say themselves which bytes a token stands for. Word pieces do not: there,
    whether a space stands before a token depends on the one before it. Each token therefore enters twice, as it is and
    with a space before it, and inside JSON a space stands before a word that follows a word, a comma, a colon or a
    semicolon, and nowhere else: `{"animal": "a brown dog, asleep"}`.

    Args:
        tokenizer: Whose tokens the model draws.
        eos_ids: Tokens that end an answer.

    Raises:
        InputError: Its tokens do not stand for bytes in a way that is known.
    """

    def __init__(self, tokenizer: Tokenizer, eos_ids: Iterable[int]) -> None:
        self.tokenizer = tokenizer
        self.eos_ids = tuple(sorted(eos_ids))
        self.size = tokenizer.vocab_size
        self.pieces = tokenizer.word_pieces()
        """Spelling of each token where they are word pieces, None elsewhere."""
        self.begins = np.array([_begins_word(piece) for piece in self.pieces or ()], bool)
        """Which word pieces begin a word."""
        try:
            self._vocabulary = self._of_word_pieces() if self.pieces is not None else self._of_bytes()
        except Exception as error:  # noqa: BLE001 - the library raises ValueError, and panics where a tokenizer is odd
            raise InputError(f"JSON cannot be constrained by this model's tokenizer: {error}.") from None

    def constraint(self, schema: str) -> JsonConstraint:
        """A fresh constraint to a JSON schema.

        Args:
            schema: As JSON; "{}" is any JSON.

        Raises:
            InputError: It is no schema, or one that is too large or not understood.
        """
        if len(schema) > LARGEST_SCHEMA:
            raise InputError(f"The JSON schema has {len(schema):,} characters; expected at most {LARGEST_SCHEMA:,}.")
        try:
            values = json.loads(schema)
            if not isinstance(values, (dict, bool)):
                raise ValueError(f"it is a {type(values).__name__}, not an object")
            grammar = _grammar(values)
        except (ValueError, RecursionError) as error:
            raise InputError(f"The JSON schema is not one: {error}.") from None
        return JsonConstraint(self, self.matcher(grammar))

    def matcher(self, grammar: str, subject: str = "") -> llguidance.LLMatcher:
        """A grammar in `llguidance`'s form of Lark's, at its beginning. Text that leaves no choice is still drawn.

        Args:
            grammar: Its rules.
            subject: Whose schema it is, for the error.

        Raises:
            InputError: It cannot be kept to.
        """
        matcher = llguidance.LLMatcher(self._vocabulary, f'%llguidance {{"no_forcing": true}}\n{grammar}', log_level=0)
        if matcher.is_error():
            whose = f" of the {subject}" if subject else ""
            raise InputError(f"The JSON schema{whose} cannot be kept to: {matcher.get_error().splitlines()[0]}.")
        return matcher

    def _of_bytes(self) -> llguidance.LLTokenizer:
        return llguidance.LLTokenizer(self.tokenizer.to_json(), n_vocab=self.size, eos_token=list(self.eos_ids))

    def _of_word_pieces(self) -> llguidance.LLTokenizer:
        pieces = self.pieces or []
        return llguidance.LLTokenizer(
            llguidance.TokenizerWrapper(_WordPieces(pieces, self.eos_ids, self.tokenizer.special_ids)),
            n_vocab=2 * len(pieces),
            eos_token=list(self.eos_ids),
        )


class _WordPieces:
    """Word pieces as `llguidance` reads them: every token as it is, then every token with a space before it."""

    bos_token_id = None

    def __init__(self, pieces: list[str], eos_ids: tuple[int, ...], special: Iterable[int]) -> None:
        self.eos_token_id = eos_ids[0]
        size = len(pieces)
        self.special_token_ids = [token + shift for token in special for shift in (0, size)]
        written = [b"" if _RESERVED.fullmatch(piece) else piece.removeprefix("##").encode() for piece in pieces]
        self.tokens = [*written, *(b" " + one if one else b"" for one in written)]

    def __call__(self, text: str) -> list[int]:
        """Never asked: `_grammar` leaves the choice among spellings to the model."""
        raise NotImplementedError


def _grammar(schema: dict[str, Any] | bool) -> str:
    """The grammar of a schema, whose objects have no properties but those it lists unless it says so.

    With `no_forcing`, text that leaves no choice is still drawn token by token: a vocabulary of word pieces has no one
    way to spell it.
    """
    options = {"whitespace_pattern": "[ ]?"}
    values = {**closed(schema), "x-guidance": options} if isinstance(schema, dict) else schema
    return f"start: %json {json.dumps(values)}"


class JsonConstraint:
    """The state of one answer; made by `JsonVocabulary.constraint`. A `Constraint` of the engine.

    Args:
        vocabulary: The tokens.
        matcher: The grammar, at its beginning.
    """

    def __init__(self, vocabulary: JsonVocabulary, matcher: llguidance.LLMatcher) -> None:
        self._vocabulary = vocabulary
        self._matcher = matcher
        self._last: int | None = None

    def mask(self) -> NDArray[np.bool_]:
        """(V,) bool: the tokens that may come next.

        Raises:
            InputError: The schema is too complex to go on.
        """
        allowed = np.frombuffer(self._matcher.compute_logit_bias(), np.uint8) > 0
        stuck = self._matcher.is_error() or (self._matcher.is_stopped() and not self._matcher.is_accepting())
        if stuck:
            raise InputError(
                "The answer cannot go on within the JSON schema: it asks for letters that this model cannot write, or "
                "is too complex; use another schema or another model."
            )
        pieces = self._vocabulary.pieces
        if pieces is None:
            return allowed
        size = len(pieces)
        return np.where(self._vocabulary.begins, allowed[size:], allowed[:size]) if self._spaces() else allowed[:size]

    def take(self, token: int) -> None:
        """Count a token as said."""
        pieces = self._vocabulary.pieces
        spaced = pieces is not None and self._spaces() and self._vocabulary.begins[token]
        self._matcher.consume_token(token + len(pieces or ()) if spaced else token)
        self._last = token

    def decode(self, ids: list[int]) -> str:
        """The text of tokens, with spaces between words only where tokens are word pieces."""
        pieces = self._vocabulary.pieces
        if pieces is None:
            return self._vocabulary.tokenizer.decode(ids)
        text, last = [], ""
        for token in ids:
            piece = pieces[token]
            text.append(" " if _spaces(last) and _begins_word(piece) else "")
            text.append(piece.removeprefix("##"))
            last = piece
        return "".join(text)

    def _spaces(self) -> bool:
        pieces = self._vocabulary.pieces
        return pieces is not None and self._last is not None and _spaces(pieces[self._last])


def _spaces(piece: str) -> bool:
    """Whether a word after this piece has a space before it."""
    return piece[-1:].isalnum() or piece[-1:] in _FOLLOWED


def _begins_word(piece: str) -> bool:
    return not piece.startswith("##") and piece[:1].isalnum()
