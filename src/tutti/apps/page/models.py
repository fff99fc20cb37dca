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

    def get(self, name: str | None = None) -> Any:
        """A model.

        Raises:
            InputError: It is not one of the names.
            TuttiError: It cannot be opened.
        """
        name = name or self.names[0]
        if name not in self.names:
            raise InputError(f"The page was not given the model {name!r}; known are: {', '.join(self.names)}.")
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._opens(name)
            return self._opened[name]
