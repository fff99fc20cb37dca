"""Results as one HTML page that stands alone: thumbnails inside it, no script, nothing fetched."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from tutti.search.answer.answers import span
from tutti.search.query.hits import Hit

_STYLE = """
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent);--dim:color-mix(in srgb,currentColor 62%,transparent)}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.3rem;margin:0 0 .2rem}p{margin:.2rem 0}.dim{color:var(--dim)}
ol{list-style:none;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));margin:1.4rem 0}
li{border:1px solid var(--line);border-radius:.6rem;overflow:hidden;display:flex;flex-direction:column}
.picture{height:11rem;display:flex;align-items:center;justify-content:center;background:color-mix(in srgb,currentColor 6%,transparent)}
.picture img{max-width:100%;max-height:100%}.picture span{font-size:2.6rem}
.text{padding:.6rem .8rem .8rem;overflow-wrap:anywhere}.text b{display:block}
.bar{height:4px;background:var(--line);margin:.4rem 0}.bar i{display:block;height:100%;background:#3b7dd8}
blockquote{margin:.4rem 0;padding-left:.6rem;border-left:3px solid var(--line);font-size:.9em}
dl{display:grid;grid-template-columns:auto 1fr;gap:0 .6rem;margin:.4rem 0 0;font-size:.88em}dt{color:var(--dim)}dd{margin:0}
"""
_SIGNS = {"picture": "▢", "sound": "♪", "words": "¶"}


def page(title: str, hits: Sequence[Hit], thumbnails: Mapping[str, bytes]) -> str:
    """The page.

    Args:
        title: What was searched for.
        hits: The best first.
        thumbnails: Id of a row → JPEG.
    """
    items = "".join(_item(number, hit, thumbnails.get(hit.id)) for number, hit in enumerate(hits, start=1))
    count = f"{len(hits)} result{'' if len(hits) == 1 else 's'}, the best first"
    body = f"<h1>{html.escape(title)}</h1><p class=dim>{count}</p><ol>{items}</ol>"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en"><head>{head}<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n'


def _item(number: int, hit: Hit, thumbnail: bytes | None) -> str:
    name = html.escape((hit.path or hit.item).rsplit("/", 1)[-1])
    if thumbnail:
        picture = f'<img alt="{name}" src="data:image/jpeg;base64,{base64.b64encode(thumbnail).decode()}">'
    else:
        picture = f"<span aria-hidden=true>{_SIGNS[hit.kind]}</span>"
    if hit.path is not None:
        start = "" if hit.start_s is None else f"#t={hit.start_s:g}"  # a media fragment: players begin there
        start = start if hit.page is None else f"#page={hit.page}"  # and readers of PDF there
        picture = f'<a href="{html.escape(Path(hit.path).as_uri())}{start}">{picture}</a>'
    when = f"<p>{span(hit)}</p>" if span(hit) else ""
    words = f"<blockquote>{html.escape(hit.words[:240])}</blockquote>" if hit.words else ""
    boxes = "".join(f"<p class=dim>“{html.escape(box['text'])}” at {_box(box['box'])}</p>" for box in hit.boxes)
    rows = "".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(_shown(value))}</dd>" for key, value in hit.columns.items()
    )
    fits = () if hit.fit is None else (f"fits {hit.fit:.0%}",)
    bar = "" if hit.fit is None else f'<div class=bar aria-hidden=true><i style="width:{hit.fit:.0%}"></i></div>'
    why = html.escape(" · ".join((*fits, *map(str, hit.why))))
    details = f"<dl>{rows}</dl>" if rows else ""
    text = f"<b>{number}. {name}</b>{bar}<p class=dim>{why}</p>{when}{words}{boxes}{details}"
    return f"<li><div class=picture>{picture}</div><div class=text>{text}</div></li>"


def _box(box: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in box)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:80]
