"""What computes, behind one interface: content in, content out."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.providers.registry import open_provider as open_provider

_DOORS = {"open_provider": "tutti.providers.registry:open_provider"}

__getattr__, __dir__ = doors(__name__, _DOORS)
