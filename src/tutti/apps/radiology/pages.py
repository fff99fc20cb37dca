"""A case for reading: HTML of one file without scripts, and PDF by fpdf2. Both say on every page what they are not."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE, SECTIONS, Draft
from tutti.errors import MissingExtra

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    ".not{border:2px solid #a00;padding:.6rem;color:#a00;font-weight:bold}"
    "small{display:block;color:#555}h2{margin-top:1.5rem}pre{white-space:pre-wrap;font:inherit}"
)

_PLAIN = str.maketrans("“”’‘–—", "\"\"''--", "")


class _Line(NamedTuple):
    kind: str
    """heading, sentence, source or text."""
    text: str


def to_html(state: dict[str, Any]) -> str:
    """A case as an HTML page.

    Args:
        state: Of `Cases.state`.
    """
    tags = {"heading": "h2", "sentence": "p", "source": "small", "text": "pre"}
    lines = "\n".join(f"<{tags[kind]}>{escape(text)}</{tags[kind]}>" for kind, text in _lines(state))
    title = escape(_title(state))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n"
        f'<p class="not">{escape(NOT_FOR_CLINICAL_USE)}</p>\n<h1>{title}</h1>\n{lines}\n'
        f'<p class="not">{escape(NOT_FOR_CLINICAL_USE)}</p>\n</body></html>\n'
    )


def check_pdf() -> Any:
    """The library that writes PDF.

    Raises:
        MissingExtra: The extra is not installed.
    """
    try:
        import fpdf
    except ImportError:
        raise MissingExtra("Writing PDF", "radiology") from None
    return fpdf


def to_pdf(state: dict[str, Any]) -> bytes:
    """A case as a PDF. Letters that its font lacks are shown by number; the HTML has them.

    Args:
        state: Of `Cases.state`.

    Raises:
        MissingExtra: The extra is not installed.
    """
    base: Any = check_pdf().FPDF

    class Page(base):  # type: ignore[misc]
        def header(self) -> None:
            self.set_font("Helvetica", "B", 8)
            self.set_text_color(160, 0, 0)
            self.multi_cell(0, 4, _latin(NOT_FOR_CLINICAL_USE), border=1, new_x="LMARGIN", new_y="NEXT")
            self.set_text_color(0, 0, 0)
            self.ln(3)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("Helvetica", "", 8)
            self.cell(0, 5, f"page {self.page_no()}", align="C")

    page = Page()
    page.set_title(_latin(_title(state)))
    page.add_page()
    fonts = {"title": ("B", 14, 8), "heading": ("B", 11, 7), "sentence": ("", 10, 5), "source": ("I", 8, 4),
             "text": ("", 10, 5)}  # fmt: skip
    for kind, text in (_Line("title", _title(state)), *_lines(state)):
        style, size, height = fonts[kind]
        page.set_font("Helvetica", style, size)
        page.multi_cell(
            0, height, _latin(text), new_x="LMARGIN", new_y="NEXT", wrapmode="CHAR" if kind == "source" else "WORD"
        )
    return bytes(page.output())


def _title(state: dict[str, Any]) -> str:
    return f"Report {state['draft']['case']}: {state['status']}"


def _lines(state: dict[str, Any]) -> Iterator[_Line]:
    draft = Draft.from_dict(state["draft"])
    yield _Line(
        "source", f"patient: {draft.name or 'not stated'}, id: {draft.patient or 'not stated'}; drafted {draft.made}"
    )
    if state["status"] == "final":
        said = state["final"]["statement"]
        yield _Line("heading", f"Signed by {said['signer']}, {said['at']}")
        yield _Line("text", said["text"])
        for number, reason in said["struck"].items():
            yield _Line("sentence", f"{number} was struck: {reason}")
        yield _Line("source", f"Ed25519 key {state['final']['public_key']}, signature {state['final']['signature']}")
        yield _Line("heading", "The draft that it was made from")
    groups = [
        ("Contradictions", draft.contradictions),
        *((name.capitalize(), draft.sections[name]) for name in SECTIONS),
    ]
    for name, sentences in groups:
        if sentences:
            yield _Line("heading", name)
        for each in sentences:
            yield _Line("sentence", " ".join([*(f"[{one}]" for one in each.findings), each.text]))
            for source in each.sources:
                quote = f": “{' '.join(source.quote.split())}”" if source.quote else ""
                yield _Line("source", f"{source}{quote}")
    yield _Line("heading", "Made by")
    for name, value in draft.device.items():
        yield _Line("source", f"{name}: {value}")


def _latin(text: str) -> str:
    """Text in the letters of the PDF's built-in fonts (Latin-1)."""
    plain = text.translate(_PLAIN)
    return "".join(letter if ord(letter) < 256 else f"[U+{ord(letter):04X}]" for letter in plain)
