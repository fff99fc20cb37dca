"""The page: what Tutti does, for people who open no terminal. Gradio draws it (extra `ui`); other rooms do the work.

The handlers here know nothing of Gradio and are tried without it; `layout` alone draws.
"""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.apps.page.options import PageOptions as PageOptions
    from tutti.apps.page.page import DemoPage as DemoPage

_DOORS = {"DemoPage": "tutti.apps.page.page:DemoPage", "PageOptions": "tutti.apps.page.options:PageOptions"}

__getattr__, __dir__ = doors(__name__, _DOORS)
