"""One tree of errors: each says what was found, what was expected and what to do.

The command line maps the tree to exit codes once (`tutti.cli.main`), the server maps it to HTTP once (`tutti.serve`).
What one model cannot do another may; `tutti.abilities` is where that is known.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath

from tutti.abilities import Task, one_that_can


class TextWarning(UserWarning):
    """A text is in its vector in part only; the message says how much of it."""


class TuttiError(Exception):
    """Root of every error that Tutti raises on purpose."""


class InputError(TuttiError):
    """The caller can fix it: a bad file, option or value."""


class UnsupportedTask(InputError):
    """The model cannot do what was asked; the message names one that can.

    Args:
        found: What the model is or takes, and what was asked of it; a whole sentence where no task is given.
        task: What was asked.
        modality: What it was asked about; None if the model does not do the task at all.
    """

    def __init__(self, found: str, task: Task | None = None, modality: str | None = None) -> None:
        super().__init__(found if task is None else f"{found}; {one_that_can(task, modality)}")
        self.found, self.task, self.modality = found, task, modality

    def of(self, task: Task) -> UnsupportedTask:
        """The same for whoever asked for something else that needs this."""
        return UnsupportedTask(self.found, task, self.modality)


class MissingExtra(InputError):
    """An optional dependency is not installed.

    Args:
        feature: What was asked for, as the subject of a sentence ("Reading DICOM files").
        extra: The name of the extra that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional part; install it with: pip install 'tutti[{extra}]'")
        self.extra = extra


class CapacityError(TuttiError):
    """A budget in bytes, pixels, seconds, tokens or memory would be exceeded."""


class ContextOverflow(CapacityError):
    """A prompt or a text is longer than the model reads."""


class CheckpointError(InputError):
    """A checkpoint folder is not what it claims to be."""


class MissingWeights(CheckpointError):
    """The model has parameters that the checkpoint lacks."""


class UnexpectedWeights(CheckpointError):
    """The checkpoint has tensors that the model lacks."""


class ShapeMismatch(CheckpointError):
    """A tensor of the checkpoint has another shape than the model's parameter."""


class UnsupportedConfig(CheckpointError):
    """A configuration names something that this version does not know."""


class UnsafeCheckpoint(CheckpointError):
    """A checkpoint would need code or a pickle to be executed."""


class TrainingError(TuttiError):
    """Training cannot go on: a loss that is not finite, or a run folder that belongs to another run."""


class ProviderError(TuttiError):
    """A model behind an interface failed."""


class Unauthorized(ProviderError):
    """The provider refused the key."""


class RateLimited(ProviderError):
    """The provider asks to slow down."""


class QuotaExceeded(RateLimited):
    """What the provider grants is used up; asking again soon is of no use."""


class Unavailable(ProviderError):
    """The provider cannot be reached or is overloaded."""


_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextmanager
def writing(path: str | PathLike[str]) -> Iterator[None]:
    """Turn the system's refusal to write into a sentence.

    Args:
        path: What is written: a file, or a folder with all in it.

    Raises:
        CapacityError: There is no room left.
        InputError: The place is read-only, a file where a folder is expected, or whatever else the system says.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: str | PathLike[str], error: OSError) -> TuttiError:
    """What to raise in the place of the system's error."""
    reason = error.strerror or str(error)
    if error.errno in _NO_ROOM:
        return CapacityError(f"Cannot write {fspath(path)}: {reason}; free some and run the same command again.")
    return InputError(f"Cannot write {fspath(path)}: {reason}; name a place that is writable, or change this one.")


def untrusted(name: str, error: BaseException) -> ProviderError | None:
    """What to raise where a server showed a certificate that is not trusted; None where the error is another one.

    Args:
        name: Of the server.
        error: As a client of HTTP raised it: the reason is among what caused it.
    """
    import ssl

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return ProviderError(
                f"{name} shows a certificate that is not trusted here ({seen.verify_message}); name the file of the CA "
                "that signed it in SSL_CERT_FILE, or check that this is the right server."
            )
        seen = seen.__cause__ or seen.__context__
    return None
