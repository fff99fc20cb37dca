"""Answers spoken aloud: by espeak-ng where it is installed, and played where the machine has a loudspeaker."""

from __future__ import annotations

import io
import shutil
import subprocess

import numpy as np
import soundfile

from tutti.content import Audio
from tutti.errors import InputError
from tutti.media.live_sound import sounddevice_library

_PROGRAM = "espeak-ng"
_LONGEST = 2_000
"""Characters that are spoken at most."""
_TIMEOUT_S = 20.0


class EspeakVoice:
    """A `tutti.interfaces.Voice` by the program espeak-ng, which is run and is no part of Tutti.

    Args:
        language: Code of the language that is spoken.

    Raises:
        InputError: The program is not installed.
    """

    def __init__(self, language: str = "en") -> None:
        program = shutil.which(_PROGRAM)
        if program is None:
            raise InputError(
                "Speaking needs the program espeak-ng, which is not installed; install it, as with: "
                "apt-get install espeak-ng"
            )
        self._command = [program, "-v", language, "--stdin", "--stdout"]

    def speak(self, text: str) -> Audio:
        """Words as a recording whose source is samples, (S,) float32.

        Raises:
            InputError: The program does not speak them.
        """
        try:
            done = subprocess.run(  # noqa: S603 - the words come by standard input
                self._command, input=text[:_LONGEST].encode(), capture_output=True, timeout=_TIMEOUT_S, check=True
            )
            samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
        except (OSError, subprocess.SubprocessError, soundfile.LibsndfileError) as error:
            raise InputError(f"espeak-ng does not speak the answer: {error}") from error
        return Audio(np.asarray(samples, np.float32), sample_rate_hz=int(rate_hz))


class Loudspeaker:
    """Plays speech while other things go on; the extra `live`.

    Raises:
        MissingExtra: sounddevice is not installed.
        InputError: PortAudio is missing.
    """

    def __init__(self) -> None:
        self._library = sounddevice_library("Speaking aloud")

    def play(self, speech: Audio) -> None:
        """Begin to play what a `Voice` spoke; what was playing ends.

        Raises:
            InputError: There is no loudspeaker.
        """
        try:
            self._library.play(speech.source, speech.sample_rate_hz)
        except (self._library.PortAudioError, ValueError) as error:
            raise InputError(
                f"The loudspeaker cannot be opened: {error}; leave out --speak, or connect one."
            ) from error

    def stop(self) -> None:
        """Be quiet at once."""
        self._library.stop()
