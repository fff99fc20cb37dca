"""Serve a model over HTTP, in the OpenAI dialect."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tutti.cli.applications import named_applications, open_applications
from tutti.cli.options import add_json, add_model, note, positive, print_json
from tutti.cli.serve_adapters import open_adapted, serve_adapted
from tutti.cli.serve_clients import access_of, add_clients, aliases_of
from tutti.cli.serve_feedback import add_feedback, check_feedback, desk_of
from tutti.cli.serve_page import page_of
from tutti.cli.serve_replicas import add_replicas, serve_replicas
from tutti.cli.serve_security import EPILOG, add_security, keep_uploads_in_memory, sealed_opener, sealers, tls_of
from tutti.errors import InputError

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
_EPILOG = """examples:
  tutti serve                                     tutti-mini at http://127.0.0.1:8000/v1, for this machine only
  tutti serve --model path/to/checkpoint --port 9000
  tutti serve --new-key alice                     make a key; put the line printed into a file
  tutti serve --replicas 2                        two processes behind one door
  tutti serve --host 0.0.0.0 --keys keys.txt      for others, who need a key
  tutti serve --alias whisper-1 --ignore-tools    for clients that ask for a name of OpenAI's and offer tools

then, with any OpenAI client:
  client = openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")
and with Anthropic's:
  client = anthropic.Anthropic(base_url="http://127.0.0.1:8000", api_key="none")

Pages: / (ask with a file), /ui (extra ui), /docs, /health, /metrics; none asks anything of the network. The log is
JSON on stderr, without media or words. Ctrl-C refuses new requests and finishes those in progress.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG + EPILOG
    add_model(parser, several=True)
    add_json(parser, "one JSON object when the server is ready")
    parser.add_argument("--name", help="what clients call the model (default: the last word of its name)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="port to listen at; 0 chooses a free one")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="tenants and digests of their keys, one a line")
    parser.add_argument("--new-key", metavar="TENANT", help="print a fresh key and its line for FILE, and end")
    parser.add_argument("--max-running", type=positive(int), metavar="N", help="answers made at once (default: 16)")
    parser.add_argument("--max-waiting", type=positive(int), metavar="N", help="answers that may wait (default: 64)")
    parser.add_argument(
        "--requests-per-minute", type=positive(float), metavar="N", help="of one tenant (default: as many as like)"
    )
    parser.add_argument("--max-body-mb", type=positive(float), metavar="N", help="largest request (default: 32)")
    parser.add_argument(
        "--allow-media-domain",
        action="append",
        metavar="NAME",
        help="fetch media from this domain; may be repeated (default: from none)",
    )
    parser.add_argument("--media-root", type=Path, metavar="DIR", help="open files named in requests below this folder")
    parser.add_argument(
        "--decode-workers",
        type=positive(int),
        default=2,
        metavar="N",
        help="processes for sound and video (default: 2)",
    )
    add_clients(parser)
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        metavar="NAME[=WHERE]",
        help="serve an application too, under /apps/NAME; WHERE is the file or folder it works on; may be repeated",
    )
    add_feedback(parser)
    add_replicas(parser)
    add_security(parser)
    parser.add_argument("--no-page", action="store_true", help="no page at /ui, which the extra ui brings")
    parser.add_argument("--otel", action="store_true", help="send spans to OTEL_EXPORTER_OTLP_ENDPOINT")
    parser.add_argument(
        "--drain-seconds", type=positive(float), default=30.0, metavar="S", help="longest wait at the end (default: 30)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Serve until a signal comes.

    Raises:
        InputError: The server would be open to others without a key, or its port is in use.
        CheckpointError: There is no such model.
    """
    from tutti.serve.keys import Keys, new_key

    if arguments.new_key is not None:
        key, line = new_key(arguments.new_key)
        note("The key, shown only now; then its line for the file of keys:")
        print_json({"tenant": arguments.new_key, "key": key, "line": line}) if arguments.json else print(
            f"{key}\n{line}"
        )
        return

    from tutti.serve.admission import ServerLimits
    from tutti.serve.lifecycle import ListenOptions, check_exposure
    from tutti.settings import read_settings

    named_applications(arguments.app)
    settings = read_settings()
    keys = Keys.read(arguments.keys, settings.api_keys)
    listen = ListenOptions(
        host=arguments.host, port=arguments.port, drain_seconds=arguments.drain_seconds, tls=tls_of(arguments)
    )
    access_of(arguments).check(bool(len(keys)))
    check_exposure(listen, keys)  # before the seconds that a model takes to load
    check_feedback(arguments)
    if arguments.replicas:
        serve_replicas(arguments, listen, keys, ServerLimits(**_limits(arguments)))
        return
    _serve(arguments, listen, keys, ServerLimits(**_limits(arguments)))


def _keep_little_memory() -> None:
    """Have threads leave little behind, since here any of them may compute (docs/decisions/0082)."""
    os.environ.setdefault("MKL_DISABLE_FAST_MM", "1")  # read once, when torch is loaded
    if "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(AttributeError):  # another C library than glibc
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _limits(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {
        name: getattr(arguments, name)
        for name in ("max_running", "max_waiting", "requests_per_minute")
        if getattr(arguments, name) is not None
    }
    return given if arguments.max_body_mb is None else {**given, "max_body_bytes": int(arguments.max_body_mb * 2**20)}


def _serve(arguments: argparse.Namespace, listen: Any, keys: Any, limits: Any) -> None:
    from dataclasses import replace

    _keep_little_memory()

    from tutti.interfaces import Quoting
    from tutti.media import Fetcher, Limits, MediaRoot, Workers
    from tutti.model import default_reader
    from tutti.serve import logs
    from tutti.serve.lifecycle import ServerOptions, make_server, run_announced
    from tutti.serve.telemetry import from_environment
    from tutti.settings import read_settings

    workers = Workers(arguments.decode_workers)
    sizes = limits.of_media(Limits.from_settings(read_settings()))
    decoder = workers.decoder(sizes)
    fetched = replace(sizes, max_bytes=limits.request.bytes)
    domains, folder = arguments.allow_media_domain, arguments.media_root
    fetcher = Fetcher(domains, fetched) if domains else None
    root = MediaRoot(folder, fetched) if folder is not None else None
    opener, published = sealed_opener(arguments, decoder, fetcher, root)
    sealer_of = sealers(arguments)
    if sealer_of is not None or published:
        keep_uploads_in_memory(limits.max_body_bytes)
    telemetry = from_environment() if arguments.otel else None
    if telemetry is not None and published:
        telemetry.tells_digests = False  # of media that only this server is to know
    provider, adapted = open_adapted(arguments, decoder, sealer_of)
    reader = default_reader(provider)
    for one in (provider, *adapted.values()):
        if reader is not None and isinstance(one, Quoting):
            one.reader = reader
    name = arguments.name or provider.name.rstrip("/").rpartition("/")[2]
    applications = [*open_applications(arguments.app, provider), *published]
    offer = ServerOptions(
        applications=applications,
        access=access_of(arguments),
        ignore_tools=arguments.ignore_tools,
        aliases=aliases_of(arguments.alias, name),
        feedback=desk_of(arguments),
        page=None
        if arguments.no_page or sealer_of is not None or published
        else page_of(provider, name, limits, decoder, adapted),
    )
    server = make_server(provider, name, listen, keys, limits, opener, telemetry, offer)
    serve_adapted(server, adapted)
    logs.configure()

    def ready(url: str) -> None:
        if arguments.json:
            print_json({"url": f"{url}/v1", "model": name, "pid": os.getpid(), "keys": len(keys)})
        else:
            _say_ready(url, [name, *adapted], len(keys), published)

    try:
        listened = run_announced(server, ready)
    finally:
        workers.close()
    if not listened:
        raise InputError(f"Port {listen.port} of {listen.host} is not free; give another with --port.")


def _say_ready(url: str, names: Sequence[str], keys: int, published: Sequence[Any]) -> None:
    for one in published:
        note(f"Media may be encrypted to the key {one.fingerprint}, published at {url}/apps/{one.name}.")
    who = f"for holders of {keys} keys" if keys else "for this machine only"
    note(f"{', '.join(names)} answers at {url}/v1, {who}; the pages are at {url}/docs. Ctrl-C stops it.")
