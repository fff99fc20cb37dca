"""Folders in the Hugging Face layout: inspect (header only), load, save, families."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.checkpoints.conversion import convert as convert
    from tutti.checkpoints.fingerprints import digests as digests
    from tutti.checkpoints.inspection import CheckpointInfo as CheckpointInfo
    from tutti.checkpoints.inspection import inspect as inspect
    from tutti.checkpoints.layouts import foreign_layout as foreign_layout
    from tutti.checkpoints.loading import Loaded as Loaded
    from tutti.checkpoints.loading import LoadReport as LoadReport
    from tutti.checkpoints.loading import load as load
    from tutti.checkpoints.merging import merge as merge
    from tutti.checkpoints.quantized_folder import shrink as shrink
    from tutti.checkpoints.saving import save as save

# No module here is named as a function: importing `checkpoints.load` as a module would hide the function of that name.
_DOORS = {
    "CheckpointInfo": "tutti.checkpoints.inspection:CheckpointInfo",
    "LoadReport": "tutti.checkpoints.loading:LoadReport",
    "Loaded": "tutti.checkpoints.loading:Loaded",
    "convert": "tutti.checkpoints.conversion:convert",
    "digests": "tutti.checkpoints.fingerprints:digests",
    "foreign_layout": "tutti.checkpoints.layouts:foreign_layout",
    "inspect": "tutti.checkpoints.inspection:inspect",
    "load": "tutti.checkpoints.loading:load",
    "merge": "tutti.checkpoints.merging:merge",
    "save": "tutti.checkpoints.saving:save",
    "shrink": "tutti.checkpoints.quantized_folder:shrink",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
