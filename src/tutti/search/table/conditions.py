"""Conditions on columns, as in `price < 50 and stock > 0`: a small part of SQL, parsed here and written anew.

Nothing of the user's text reaches the database as it was typed: names are looked up, values are quoted again, and
whatever is not in the grammar below is refused. So a condition can neither end early, nor call a function, nor name
a table.

    or     := and {OR and}            and   := not {AND not}            not := [NOT] (test | "(" or ")")
    test   := column (("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value | [NOT] LIKE value | IS [NOT] NULL
            | [NOT] IN "(" value {"," value} ")" | [NOT] BETWEEN value AND value | [NOT] HAS value)
    value  := number | 'text' | TRUE | FALSE
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import NamedTuple

from tutti.errors import InputError

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))|(?P<text>'(?:[^']|'')*')|(?P<quoted>\"[^\"]+\"|`[^`]+`)"
    r"|(?P<word>[^\W\d]\w*)|(?P<sign><=|>=|<>|!=|==|[=<>(),]))"
)
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_RESERVED = {"and", "or", "not", "in", "like", "between", "is", "null", "has", "true", "false"}
_DEEPEST = 50


class Token(NamedTuple):
    """A piece of a condition."""

    kind: str
    text: str
    place: int


def condition(text: str, columns: Collection[str]) -> str:
    """Check a condition and write it anew, in parentheses.

    Args:
        text: As the user typed it.
        columns: Names that may occur.

    Raises:
        InputError: It is not of the grammar above, or names a column that there is not.
    """
    return _Parser(text, columns).whole()


class _Parser:
    def __init__(self, text: str, columns: Collection[str]) -> None:
        self.source, self.columns = text, columns
        self.tokens, self.place, self.depth = _tokens(text), 0, 0

    def whole(self) -> str:
        if not self.tokens:
            raise InputError("The condition is empty; expected one such as: price < 50 and stock > 0")
        written = self.either()
        if self.place < len(self.tokens):
            raise self.refused("the end, AND or OR")
        return f"({written})"

    def either(self) -> str:
        parts = [self.both()]
        while self.takes("or"):
            parts.append(self.both())
        return " OR ".join(parts)

    def both(self) -> str:
        parts = [self.negated()]
        while self.takes("and"):
            parts.append(self.negated())
        return " AND ".join(parts)

    def negated(self) -> str:
        nots = 0
        while self.takes("not"):
            nots += 1
        written = self.one()
        return f"NOT ({written})" if nots % 2 else written

    def one(self) -> str:
        if not self.takes("("):
            return self.test()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise InputError(f"The condition nests more than {_DEEPEST} deep; expected a simpler one.")
        inner = self.either()
        if not self.takes(")"):
            raise self.refused(")")
        self.depth -= 1
        return f"({inner})"

    def test(self) -> str:
        column = self.column()
        token = self.next("a comparison, IN, LIKE, BETWEEN, IS or HAS")
        if token.text in _COMPARISONS:
            return f"{column} {_COMPARISONS[token.text]} {self.value()}"
        word, negation = token.text.lower(), ""
        if word == "is":
            negation = "NOT " if self.takes("not") else ""
            if not self.takes("null"):
                raise self.refused("NULL")
            return f"{column} IS {negation}NULL"
        if word == "not":
            negation, word = "NOT ", self.next("IN, LIKE, BETWEEN or HAS").text.lower()
        if word == "like":
            return f"{column} {negation}LIKE {self.value()}"
        if word == "has":
            return f"{negation}array_has({column}, {self.value()})"
        if word == "in":
            return f"{column} {negation}IN ({self.values()})"
        if word == "between":
            low = self.value()
            if not self.takes("and"):
                raise self.refused("AND")
            return f"{column} {negation}BETWEEN {low} AND {self.value()}"
        self.place -= 1
        raise self.refused("a comparison, IN, LIKE, BETWEEN, IS or HAS")

    def values(self) -> str:
        if not self.takes("("):
            raise self.refused("(")
        given = [self.value()]
        while self.takes(","):
            given.append(self.value())
        if not self.takes(")"):
            raise self.refused(", or )")
        return ", ".join(given)

    def column(self) -> str:
        token = self.next("the name of a column")
        if token.kind == "quoted":
            name = token.text[1:-1]
        elif token.kind == "word" and token.text.lower() not in _RESERVED:
            name = token.text
        else:
            self.place -= 1
            raise self.refused("the name of a column")
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, n=1)
            hint = f", perhaps you meant {near[0]!r}" if near else ""
            raise InputError(f"There is no column {name!r}{hint}; the database has: {', '.join(sorted(self.columns))}.")
        return f"`{name}`"

    def value(self) -> str:
        token = self.next("a number or 'text'")
        if token.kind in ("number", "text"):
            return token.text
        if token.text.lower() in ("true", "false"):
            return token.text.upper()
        self.place -= 1
        raise self.refused("a number or 'text' in single quotes")

    def next(self, expected: str) -> Token:
        if self.place >= len(self.tokens):
            raise self.refused(expected)
        self.place += 1
        return self.tokens[self.place - 1]

    def takes(self, text: str) -> bool:
        if self.place < len(self.tokens):
            token = self.tokens[self.place]
            if token.kind in ("word", "sign") and token.text.lower() == text:
                self.place += 1
                return True
        return False

    def refused(self, expected: str) -> InputError:
        if self.place >= len(self.tokens):
            return InputError(f"The condition {self.source!r} ends too early; expected {expected}.")
        token = self.tokens[self.place]
        return InputError(
            f"The condition has {token.text!r} at character {token.place + 1}; expected {expected}, "
            "as in: price < 50 and stock > 0"
        )


def _tokens(text: str) -> list[Token]:
    tokens, place = [], 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise InputError(
                f"The condition has {text[start]!r} at character {start + 1}, which is no part of one; expected "
                "comparisons of columns with values, joined by AND, OR and NOT."
            )
        tokens.append(Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        place = found.end()
    return tokens
