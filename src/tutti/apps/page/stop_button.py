"""What a button does that stops work. Annotations are no strings here: Gradio looks at them for the request."""

from collections.abc import Callable
from typing import Any

from tutti.apps.page.rooms import Rooms, tenant_of


def wire_stop(rooms: Rooms, event: Callable[..., Any], session: Any) -> None:
    """Have an event of Gradio end what a person has under way; it waits behind nothing.

    Args:
        rooms: What the page offers.
        event: Such as a button's `click`.
        session: Id of the person's conversation.
    """
    import gradio as gr

    def end(known: str, request: gr.Request) -> None:
        rooms.dialogues.get(tenant_of(request), known).stop.set()

    event(end, session, None, queue=False, api_visibility="private")
