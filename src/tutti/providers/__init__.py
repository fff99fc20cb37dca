"""Models behind one interface: content in, content out."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.providers.model import Model as Model
    from tutti.providers.registry import load as load

_DOORS = {"Model": "tutti.providers.model:Model", "load": "tutti.providers.registry:load"}

__getattr__, __dir__ = doors(__name__, _DOORS)
