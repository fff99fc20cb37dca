"""The whole page as Gradio draws it, and the application of ASGI that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tutti.apps.page import tab_applications, tab_ask, tab_compare, tab_evaluate, tab_redact, tab_search
from tutti.apps.page.options import MOUNTED_AT, PageOptions, Reserve
from tutti.apps.page.rooms import Rooms, make_rooms
from tutti.apps.page.theme import CSS, SCRIPT, theme
from tutti.model import Model


def make(options: PageOptions, opens: Callable[[str], Model], folder: Path, reserve: Reserve) -> tuple[Any, Any]:
    """The application, and what has to be entered around it.

    Args:
        options: What the page offers.
        opens: From a model's name to the model.
        folder: Of the page's files; the only one that it sends any from.
        reserve: Entered while an answer is made.

    Returns:
        An ASGI application, and its lifespan as an async context manager.
    """
    import gradio as gr
    from fastapi import FastAPI

    holder = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        _blocks(make_rooms(options, opens, folder, reserve)),
        path=MOUNTED_AT,
        allowed_paths=[],
        show_error=False,
        max_file_size=options.max_upload_bytes,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=theme(),
        # As `css`, Gradio would bind each rule to what lies below its own element.
        head=f"<style>{CSS}</style><script>{SCRIPT}</script>",
    )
    return holder.routes[-1].app, holder.router.lifespan_context(holder)


def _blocks(rooms: Rooms) -> Any:
    import gradio as gr

    with gr.Blocks(title="Tutti", analytics_enabled=False, fill_width=True) as page:
        minutes = rooms.options.keep_s / 60
        gr.Markdown(
            f"## Tutti\nFiles and conversations are removed {minutes:,.0f} minutes after their last use.",
            elem_id="title",
        )
        with gr.Tabs() as tabs:
            with gr.Tab("Ask", id="ask"):
                parts = tab_ask.build(rooms)
            with gr.Tab("Search", id="search"):
                loadings = [parts.load, tab_search.build(rooms, parts.question, tabs, parts.session)]
            with gr.Tab("Redact", id="redact"):
                loadings.append(tab_redact.build(rooms, parts.session))
            with gr.Tab("Compare", id="compare"):
                loadings.append(tab_compare.build(rooms, parts.session))
            tab_evaluate.build(rooms)
            loadings += tab_applications.build(rooms, parts.session)
        for load, given, shown in loadings:
            page.load(load, given, shown, api_visibility="private")
    page.queue(max_size=64)
    return page
