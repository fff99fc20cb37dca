"""Tutti: an open multimodal-AI stack in one package."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti import checkpoints as checkpoints
    from tutti.content import Answer as Answer
    from tutti.content import Audio as Audio
    from tutti.content import Depth as Depth
    from tutti.content import Document as Document
    from tutti.content import Image as Image
    from tutti.content import Message as Message
    from tutti.content import Motion as Motion
    from tutti.content import SamplingOptions as SamplingOptions
    from tutti.content import Text as Text
    from tutti.content import Thermal as Thermal
    from tutti.content import Video as Video
    from tutti.model import Model as Model
    from tutti.model import load as load
    from tutti.providers import open_provider as open_provider
    from tutti.search import Index as Index

__version__ = "0.1.0"

_CONTENT = tuple("Answer Audio Depth Document Image Message Motion SamplingOptions Text Thermal Video".split())
_DOORS = {
    **{name: f"tutti.content:{name}" for name in _CONTENT},
    "Model": "tutti.model:Model",
    "load": "tutti.model:load",
    "open_provider": "tutti.providers.registry:open_provider",
    "Index": "tutti.search.index:Index",
    "checkpoints": "tutti.checkpoints",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
