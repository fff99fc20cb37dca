"""The models that `tutti demo` offers: named ones, those that are installed, adapters, and hosted ones with a key."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import told_of_loading
from tutti.cli.serve_adapters import adapters_of
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.model import Model


class DemoModels:
    """Opens each model when it is first needed; the first one, hosted ones and adapters at once.

    Args:
        arguments: With `model`, `adapter` and `quantize`.
        default: The model where none is named; then what else is installed and answers can be chosen, too.

    Raises:
        InputError: An adapter has no name, or is for a model elsewhere; or it has the name of a model.
    """

    def __init__(self, arguments: argparse.Namespace, default: str) -> None:
        self._quantize = arguments.quantize
        self._folders: dict[str, Path] = {}
        given = list(dict.fromkeys(arguments.model or [default]))
        plain, self._adapters = adapters_of(arguments.adapter)
        if plain is not None:
            raise InputError(
                f"--adapter {plain} has no name; expected one to choose it by, as in --adapter mine={plain}."
            )
        others = [] if arguments.model else self._installed(given)
        self.names: Sequence[str] = [given[0], *self._adapters, *given[1:], *others]
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self._adapters if self.names.count(name) > 1)
            raise InputError(f"--adapter names {twice!r}, as a model is called; give the adapter another name.")
        self._named = {*given}
        self._opened: dict[str, Model] = {}
        self._decoder: Any = None

    def open_first(self, decoder: Any) -> Model:
        """The first model, after which the others can be opened.

        Raises:
            InputError: There is no key for a hosted model, or the adapters' model is hosted or does not answer.
            CheckpointError: There is no such model or adapter, or an adapter is of another model.
        """
        from tutti.providers.registry import is_hosted

        self._decoder = decoder
        if self._adapters:
            self._open_adapted(self.names[0])
        for name in self.names:
            if is_hosted(name):  # without a key it cannot be offered
                self.open(name)
        return self.open(self.names[0])

    def open(self, name: str) -> Model:
        """A model by name. Errors as of `tutti.load`."""
        import tutti

        if name not in self._opened:
            more = {"quantize": self._quantize} if name in self._named and self._quantize else {}
            where = self._folders.get(name, name)
            self._opened[name] = tutti.load(where, decoder=self._decoder, told=told_of_loading(), **more)
        return self._opened[name]

    def _open_adapted(self, base: str) -> None:
        from tutti.model import Model, default_reader
        from tutti.providers.adapted import load_adapted
        from tutti.providers.registry import is_hosted
        from tutti.settings import read_settings

        if is_hosted(base):
            raise InputError(f"An adapter was given for {base}, whose weights are elsewhere; leave it out.")
        more: dict[str, Any] = {"quantize": self._quantize, "decoder": self._decoder, "told": told_of_loading()}
        provider, adapted = load_adapted(base, self._adapters, read_settings(), **more)
        reader = default_reader(provider)  # one for all, as the weights are
        for name, one in {base: provider, **adapted}.items():
            self._opened[name] = Model(one, reader=reader)

    def _installed(self, given: Sequence[str]) -> list[str]:
        """What is on this machine and answers, beside what was given; it is opened from its folder."""
        from tutti.checkpoints.installed import installed

        found = {name: folder for name, (folder, info) in installed().items() if "ask" in info.tasks}
        self._folders = {name: folder for name, folder in found.items() if folder is not None and name not in given}
        return [name for name in found if name not in given]
