"""PDF documents for tests, made by fpdf2 or written by hand."""

from __future__ import annotations

from collections.abc import Sequence

from fpdf import FPDF

LEASE = (
    "Lease agreement\nThis agreement is made between Anna Berg and Paul Stone.\nThe flat is in 12 Harbour Street.",
    "Rent\nThe monthly rent is 1,250 euros, payable on the first of each month.\nThe deposit is three months of rent.",
    "Pets\nThe tenant may keep a cat but no dogs.\nThe notice period is three months.",
)


def pdf(pages: Sequence[str] = LEASE, *, password: str | None = None, size: tuple[float, float] = (210, 297)) -> bytes:
    """A page a text; sides in millimetres."""
    made = FPDF(format=size)
    made.set_font("Helvetica", size=14)
    if password:
        made.set_encryption(owner_password="owner", user_password=password)
    for text in pages:
        made.add_page()
        if text:
            made.multi_cell(0, 10, text)
    return bytes(made.output())


def written(*objects: str) -> bytes:
    """Objects 1, 2, … of a document by hand; the first is its catalogue."""
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def one_page(box: str = "[0 0 200 200]", resources: str = "<<>>", content: str = "", *more: str) -> bytes:
    """A page by hand; `more` are objects from 5 on."""
    return written(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox {box}/Resources {resources}/Contents 4 0 R>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        *more,
    )


def nested(depth: int = 9, width: int = 40) -> bytes:
    """A page of forms in forms: so many drawings as width to the power of depth, in a few kilobytes."""
    forms = []
    for level in range(depth):
        below = f"/F {6 + level} 0 R" if level + 1 < depth else ""
        content = "/F Do " * width if below else "0 0 100 100 re f " * width
        forms.append(
            f"<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<<{below}>>>>"
            f"/Length {len(content)}>>stream\n{content}\nendstream"
        )
    return one_page("[0 0 200 200]", "<</XObject<</F 5 0 R>>>>", "/F Do", *forms)
