"""A replica for tests, ready in a moment: python -m tests.serve.replica_parrot [SECONDS A WORD]."""

from __future__ import annotations

import json
import os
import sys

from tests.serve.fake_models import Parrot
from tutti.media import InProcess, Limits
from tutti.serve.admission import ServerLimits
from tutti.serve.keys import Keys
from tutti.serve.lifecycle import ListenOptions, make_server, run_announced
from tutti.serve.media_parts import MediaOpener
from tutti.settings import read_settings


def main() -> None:
    model = Parrot(seconds_a_word=float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    keys = Keys.read(None, read_settings().api_keys)
    opener = MediaOpener(InProcess(Limits()))
    server = make_server(model, "parrot", ListenOptions(port=0), keys, ServerLimits(), opener)
    run_announced(server, lambda url: print(json.dumps({"url": f"{url}/v1", "pid": os.getpid()}), flush=True))


if __name__ == "__main__":
    main()
