"""The page for people beside a server's routes, where the extra `ui` is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutti.apps.page.page import DemoPage


def page_of(
    provider: Any, name: str, limits: Any, decoder: Any, adapted: Mapping[str, Any] | None = None
) -> DemoPage | None:
    """The page over the model that is served, or None without the extra. It is drawn when it is first opened.

    Args:
        provider: What answers.
        name: What clients call it.
        limits: Of the server.
        decoder: Decodes for other models that the page opens.
        adapted: Name → the model with an adapter.
    """
    from tutti.apps.page.options import PageOptions
    from tutti.apps.page.page import DemoPage, is_installed

    if not is_installed():
        return None
    import tutti
    from tutti.model import Model

    def opens(wanted: str) -> Model:
        served = {name: provider, **(adapted or {})}
        return Model(served[wanted]) if wanted in served else tutti.load(wanted, decoder=decoder)

    options = PageOptions(
        models=(name, *(adapted or ())), max_upload_bytes=limits.max_body_bytes, at_once=limits.max_running
    )
    return DemoPage(options, opens)
