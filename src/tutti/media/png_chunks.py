"""PNG files without the texts and profiles that are too large for Pillow, which refuses the whole file for them."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

_SIGNATURE_BYTES = 8
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
"""Chunks that no pixel needs and that Pillow bounds (PNG, third edition, sections 11.3.2.3 and 11.3.3)."""
_MOST_TEXT = 1_000_000
"""Bytes of them that are kept, once decompressed, all together."""
_MOST_EXPANDED = 64
"""Chunks that are decompressed to learn their size; those after them are left out."""
_MOST_CHUNKS = 100_000


def without_large_texts(file: BinaryIO) -> BinaryIO:
    """The same file, or a copy in memory without the chunks of text that exceed the budget; rewound.

    Args:
        file: An open PNG.
    """
    size, start, text, expanded = file.seek(0, io.SEEK_END), _SIGNATURE_BYTES, 0, 0
    kept, left_out = [(0, start)], False
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(8)
        end = start + 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or end > size:
            break
        length = 0
        if head[4:] in _TEXTS:
            fits = end - start <= _MOST_TEXT and expanded < _MOST_EXPANDED
            length = _expanded(head[4:], file.read(end - start - 12)) if fits else _MOST_TEXT + 1
            expanded += 1
        if text + length <= _MOST_TEXT:
            kept.append((start, end))
            text += length
        else:
            left_out = True
        start = end
    file.seek(0)
    if not left_out:
        return file
    content = io.BytesIO()
    for begin, end in [*kept, (start, size)]:
        file.seek(begin)
        content.write(file.read(end - begin))
    content.seek(0)
    return content


def _expanded(kind: bytes, content: bytes) -> int:
    """Bytes of a text or profile once decompressed, counted up to one more than the budget."""
    _, _, rest = content.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0"):
        return len(content)
    packed = rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:]
    try:
        return len(zlib.decompressobj().decompress(packed, _MOST_TEXT + 1))
    except zlib.error:
        return _MOST_TEXT + 1  # damaged, and not needed
