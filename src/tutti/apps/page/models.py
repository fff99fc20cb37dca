"""The models that the page may ask: those that were named when it was started, each opened when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from tutti.errors import InputError
from tutti.model import Model


class Models:
    """Models by name.

    Args:
        names: As people see them; the first is asked where none is named.
        opens: From a name to the model; called once for each.
    """

    def __init__(self, names: Sequence[str], opens: Callable[[str], Model]) -> None:
        if not names:
            raise InputError("No model was named for the page; expected at least one.")
        self.names = tuple(dict.fromkeys(names))
        self._opens = opens
        self._opened: dict[str, Model] = {}
        self._lock = threading.Lock()

    def called(self, name: str | None = None) -> str:
        """The name of a model, or of the first."""
        return name or self.names[0]

    def is_open(self, name: str | None = None) -> bool:
        """Whether it was loaded already; a name that is not known is not waited for, either."""
        called = self.called(name)
        return called in self._opened or called not in self.names

    def is_elsewhere(self, name: str | None = None) -> bool:
        """Whether what a model is asked is sent to another machine."""
        from tutti.providers.registry import is_hosted

        called = self.called(name)
        return is_hosted(called) or bool(getattr(self._opened.get(called), "elsewhere", False))

    def get(self, name: str | None = None) -> Any:
        """A model.

        Raises:
            InputError: It is not one of the names.
            TuttiError: It cannot be opened.
        """
        name = self.called(name)
        if name not in self.names:
            raise InputError(f"The page was not given the model {name!r}; known are: {', '.join(self.names)}.")
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._opens(name)
            return self._opened[name]
