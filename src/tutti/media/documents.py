"""PDF documents (ISO 32000): each page as a picture with its text layer, by pdfium.

A page's cost is not in its header: a few bytes can ask for hours of drawing. So documents are decoded in a process of
their own (`document_decoder`), where time and memory are limited; what is checked here are pages, pixels and letters.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Document
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media.limits import Limits
from tutti.media.sniff import PDF, describe, sniff
from tutti.media.sources import array_of, opened

PAGE_SIDE = 1568
"""Longer side of a page as a picture, in pixels: the most that Claude looks at, some 134 dots an inch of A4."""
LEAST_PAGE_PT, LARGEST_PAGE_PT = 1.0, 14_400.0
"""Sides of a page in points; ISO 32000, annex C, names 14,400 as the most."""
_MOST_LETTERS = 1_000_000
"""Of one page: a page of a telephone book has some 20,000."""
_lock = threading.RLock()
"""pdfium is not made for threads."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Page:
    """A page of a document."""

    number: int
    """From 1."""
    text: str
    """Its text layer, in the order of the file; empty for a page that was scanned."""
    picture: NDArray[np.uint8] | None
    """(H, W, 3) uint8; None where only the text was asked for."""


def decode_document(
    part: Document,
    limits: Limits,
    numbers: Sequence[int] | None = None,
    *,
    side: int | None = PAGE_SIDE,
) -> list[Page]:
    """Pages of a document, in their order.

    Args:
        part: The document.
        limits: Budgets of bytes, of pages, and of pixels of all pictures together.
        numbers: Which pages, from 1; None is all.
        side: Longer side of their pictures, in pixels; None makes none.

    Raises:
        InputError: It is no PDF, is damaged or encrypted, or has no such page.
        CapacityError: It is over a budget.
        MissingExtra: The reader is not installed.
    """
    with _document(part, limits) as document:
        total = len(document)
        if numbers is None:
            limits.check_pages(part.name, total)
        wanted = range(1, total + 1) if numbers is None else numbers
        for number in wanted:
            if not 1 <= number <= total:
                raise InputError(f"{part.name} has {total} pages, and page {number} was asked for.")
        pages: list[Page] = []
        pixels = 0
        for number in wanted:
            found = _page(document, number, part.name, limits, side, pixels)
            pixels += 0 if found.picture is None else found.picture.shape[0] * found.picture.shape[1]
            pages.append(found)
        return pages


def measure_document(part: Document, limits: Limits) -> tuple[int, int, int]:
    """Pages, and width and height of the first as a picture. Errors as for `decode_document`."""
    with _document(part, limits) as document:
        return len(document), *_shape(document, 0, part.name, PAGE_SIDE)


@contextmanager
def _document(part: Document, limits: Limits) -> Iterator[Any]:
    try:
        import pypdfium2
    except ImportError:
        raise MissingExtra("Reading PDF documents", "documents") from None
    if array_of(part) is not None:
        raise InputError("A document was given as an array; expected a path, bytes or a data: URL.")
    with opened(part, limits) as file:
        if sniff(file) != PDF:
            raise InputError(f"{part.name} is not a document that Tutti reads: {describe(file)}; expected PDF.")
        file.seek(0)
        content = file.read()
    with _lock:
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            raise _refused(error, part.name) from None
        try:
            if len(document) == 0:
                raise InputError(f"{part.name} has no pages; the file is empty or damaged.")
            yield document
        finally:
            document.close()


def _refused(error: Exception, name: str) -> InputError:
    from pypdfium2 import raw

    code = getattr(error, "err_code", None)
    if code == raw.FPDF_ERR_PASSWORD:
        return InputError(f"{name} is encrypted; save a copy without its password and use that.")
    if code == raw.FPDF_ERR_SECURITY:
        return InputError(f"{name} is protected in a way that is not read; save an unprotected copy and use that.")
    return InputError(f"{name} is damaged, or cut off: its PDF cannot be read; save it anew.")


def _shape(document: Any, index: int, name: str, side: int) -> tuple[int, int]:
    """Width and height of a page as a picture, in pixels."""
    import pypdfium2

    try:
        points = document.get_page_size(index)
    except pypdfium2.PdfiumError:
        raise InputError(
            f"Page {index + 1} of {name} is damaged; save the document anew, or leave the page out."
        ) from None
    if not all(LEAST_PAGE_PT <= one <= LARGEST_PAGE_PT for one in points):
        raise InputError(
            f"Page {index + 1} of {name} is {points[0]:g} x {points[1]:g} points; expected "
            f"{LEAST_PAGE_PT:g} to {LARGEST_PAGE_PT:,.0f} a side."
        )
    scale = _scale(points, side)
    return math.ceil(points[0] * scale), math.ceil(points[1] * scale)


def _scale(points: tuple[float, float], side: int) -> float:
    """Pixels a point, such that the longer side, rounded up as pdfium does, has so many."""
    return side / max(points) * (1 - 1e-6)


def _page(document: Any, number: int, name: str, limits: Limits, side: int | None, before: int) -> Page:
    """One page; `before` are the pixels of those before it."""
    import pypdfium2

    shape = None if side is None else _shape(document, number - 1, name, side)
    if shape is not None and before + shape[0] * shape[1] > limits.max_pixels:
        raise CapacityError(
            f"The pages of {name} up to {number} have more than {limits.max_pixels:,} pixels as pictures: "
            "use fewer pages or raise TUTTI_MAX_PIXELS."
        )
    try:
        page = document[number - 1]
        try:
            text = _text(page, number, name)
            picture = None if side is None else _picture(page, side)
        finally:
            page.close()
    except pypdfium2.PdfiumError:
        raise InputError(
            f"Page {number} of {name} is damaged; save the document anew, or leave the page out."
        ) from None
    return Page(number=number, text=text, picture=picture)


def _text(page: Any, number: int, name: str) -> str:
    layer = page.get_textpage()
    try:
        letters = layer.count_chars()
        if letters > _MOST_LETTERS:
            raise CapacityError(
                f"Page {number} of {name} has {letters:,} letters; the limit is {_MOST_LETTERS:,}: leave the page out."
            )
        found: str = layer.get_text_range() if letters > 0 else ""
    finally:
        layer.close()
    lines = (" ".join(line.split()) for line in found.replace("\x00", "").replace("\x02", "").splitlines())
    return "\n".join(line for line in lines if line).encode("utf-8", "replace").decode()


def _picture(page: Any, side: int) -> NDArray[np.uint8]:
    bitmap = page.render(scale=_scale(page.get_size(), side), rev_byteorder=True)
    try:
        found = np.array(bitmap.to_numpy(), np.uint8)  # copied, as it lies in pdfium's memory
    finally:
        bitmap.close()
    return np.ascontiguousarray(np.repeat(found[:, :, :1], 3, axis=2) if found.shape[2] == 1 else found[:, :, :3])
