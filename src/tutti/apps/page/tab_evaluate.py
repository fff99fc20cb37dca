"""The tab Evaluate, as Gradio draws it."""

from tutti.apps.page.evaluating import framed_report
from tutti.apps.page.rooms import Rooms, told


def build(rooms: Rooms) -> None:
    """Draw the tab, if there is a report.

    Args:
        rooms: What the page offers.
    """
    import gradio as gr

    reports = rooms.options.reports
    if not reports:
        return

    def show(name: str) -> str:
        with told(rooms.folder):
            return framed_report(reports, name)

    with gr.Tab("Evaluate", id="evaluate") as tab:
        name = gr.Dropdown(list(reports), value=next(iter(reports)), label="Report")
        shown = gr.HTML()
    tab.select(show, name, shown, api_visibility="private")
    name.change(show, name, shown, api_visibility="private")
