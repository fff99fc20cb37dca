"""A `tokenizer.model` of SentencePiece, as Llama's checkpoints bring it, to a tokenizer that splits the same way.

Source: Kudo and Richardson 2018 (SentencePiece); its file is a protocol buffer, `sentencepiece_model.proto`, of which
the pieces and a few settings are read here, with the standard library and in bounds. A pair of neighbouring pieces is
merged where their union is a piece, that with the highest score first: in `tokenizer.json`, the order of the merges.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, processors

from tutti.errors import InputError

_SPACE = "\u2581"
_BPE = 2
_UNKNOWN, _CONTROL, _USER = 2, 3, 4
_MAX_PIECES = 1_000_000
_MAX_PIECE_BYTES = 4096


@dataclass
class SentencePiece:
    """What is read of the file. A setting that it leaves out has the value of the format."""

    pieces: list[tuple[str, float, int]] = field(default_factory=list)
    """Piece, score, kind."""
    algorithm: int = 1
    rules: bytes = b""
    """Compiled rules by which text is changed beforehand."""
    space_before: bool = True
    drops_spaces: bool = True


def tokenizer_from_sentencepiece(content: bytes, name: str = "tokenizer.model") -> tokenizers.Tokenizer:
    """The tokenizer of a `tokenizer.model`: byte-pair encoding that leaves the text as it is, as Llama's does.

    Args:
        content: The file.
        name: What errors call it.

    Raises:
        InputError: It is damaged, or of a kind that splits texts in another way.
    """
    model = _parse(content, name)
    if model.algorithm != _BPE or model.rules or model.drops_spaces or not model.space_before:
        raise InputError(
            f"{name} is of a kind of SentencePiece that is not read here (only byte-pair encoding that leaves text as "
            "it is, like Llama's); give the model's tokenizer.json instead."
        )
    return tokenizer_of_pieces(model, name)


def tokenizer_of_pieces(model: SentencePiece, name: str, *, begins: bool = True) -> tokenizers.Tokenizer:
    """The tokenizer of pieces with their scores and kinds.

    Args:
        model: The pieces, and whether a text has a space put before it.
        name: What errors call their source.
        begins: Whether "<s>" goes before a text, where there is such a piece.

    Raises:
        InputError: A piece is there twice.
    """
    vocabulary: dict[str, int] = {}
    for piece, _, _ in model.pieces:
        if vocabulary.setdefault(piece, len(vocabulary)) != len(vocabulary) - 1:
            raise InputError(f"{name} has the piece {piece!r} twice; it is damaged: fetch it again.")
    special = [piece for piece, _, kind in model.pieces if kind in (_UNKNOWN, _CONTROL)]
    unknown = next((piece for piece, _, kind in model.pieces if kind == _UNKNOWN), None)
    made = tokenizers.Tokenizer(
        models.BPE(vocabulary, _merges(model, vocabulary), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    spaces, first = normalizers.Replace(" ", _SPACE), model.space_before
    made.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), spaces] if first else [spaces])
    read = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*read, decoders.Strip(" ", 1, 0)] if first else read)
    made.add_special_tokens([AddedToken(piece, normalized=False, special=True) for piece in special])
    made.add_tokens([AddedToken(piece, normalized=False) for piece, _, kind in model.pieces if kind == _USER])
    if begins and "<s>" in vocabulary:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocabulary["<s>"])]
        )
    return made


def _merges(model: SentencePiece, vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Pairs of pieces whose union is a piece, that with the highest score first."""
    pairs = [
        (-score, vocabulary[piece[:cut]], vocabulary[piece[cut:]], piece[:cut], piece[cut:])
        for piece, score, _ in model.pieces
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    return [(left, right) for *_, left, right in sorted(pairs)]


def _parse(content: bytes, name: str) -> SentencePiece:
    model = SentencePiece()
    try:
        for number, value in _fields(content):
            if number == 1 and isinstance(value, bytes):
                model.pieces.append(_piece(value))
                if len(model.pieces) > _MAX_PIECES:
                    raise ValueError("too many pieces")
            elif number == 2 and isinstance(value, bytes):
                model.algorithm = _number(value, 3, model.algorithm)
            elif number == 3 and isinstance(value, bytes):
                model.rules = next(
                    (rules for key, rules in _fields(value) if key == 2 and isinstance(rules, bytes)), b""
                )
                model.space_before = bool(_number(value, 3, 1))
                model.drops_spaces = bool(_number(value, 4, 1))
    except (ValueError, struct.error):
        raise InputError(f"{name} is no file of SentencePiece's, or is damaged: fetch it again.") from None
    if not model.pieces:
        raise InputError(f"{name} holds no pieces; expected a vocabulary of SentencePiece's.")
    return model


def _piece(content: bytes) -> tuple[str, float, int]:
    values = dict(_fields(content))
    text, score, kind = values.get(1, b""), values.get(2, b"\0\0\0\0"), values.get(3, 1)
    if not isinstance(text, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
        raise ValueError("a field of another type")
    if not text or len(text) > _MAX_PIECE_BYTES:
        raise ValueError("a piece without text, or with too much")
    found: float = struct.unpack("<f", score)[0]
    if found != found:  # noqa: PLR0124 - not a number
        raise ValueError("a score that is no number")
    return text.decode("utf-8"), found, kind


def _number(content: bytes, wanted: int, default: int) -> int:
    """A whole number of a message; the last one counts."""
    found = [value for number, value in _fields(content) if number == wanted and isinstance(value, int)]
    return found[-1] if found else default


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message; fixed-size values as their bytes.

    Raises:
        ValueError: The message is cut off, or has a field of no known form.
    """
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        form = key & 7
        if form == 0:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if form not in (1, 2, 5):
            raise ValueError("a field of no known form")
        length = {1: 8, 5: 4}.get(form, 0)
        if form == 2:
            length, place = _varint(content, place)
        if place + length > len(content):
            raise ValueError("a field that is cut off")
        yield key >> 3, content[place : place + length]
        place += length


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A whole number of up to ten bytes, seven bits each, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(content):
            raise ValueError("a number that is cut off")
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if not byte & 128:
            return value, place
    raise ValueError("a number that does not end")
