"""Show what Tutti does in a page for the browser: ask, search, redact, compare, reports, the applications."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.demo_models import DemoModels
from tutti.cli.options import add_json, add_quantize, check_output, note, positive, print_json
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.apps.page import PageOptions

_EPILOG = """examples:
  tutti demo                                      tutti-mini at http://127.0.0.1:7860/ui, for this machine only
  tutti demo --open --index photos.db             open the browser; with a tab to search
  tutti demo --model tutti-mini --model path/to/checkpoint    two models, to compare side by side and without names
  tutti demo --adapter products=RUN               the model as it is and as tuned by `tutti tune`, each by its name
  tutti demo --host 0.0.0.0 --keys keys.txt       for others; the browser asks for a key (tutti serve --new-key NAME)
  tutti demo --feedback kept                      keep thumbs, right answers and choices, for tutti feedback
  tutti demo --report suite-report                a report of `tutti evaluate` inside the page
  tutti demo --app shop=catalogue.db --app radiology=cases --app moderation=policy.toml    the applications as tabs

Uploads lie in a folder of their own, readable by you alone, and are removed after --keep-minutes and at the end. The
page asks nothing of the network. The routes of `tutti serve` are there, too. Ctrl-C stops it.
"""
_DRAIN_S = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a model that can be asked, as for `tutti ask`; may be repeated (default: TUTTI_MODEL, else tutti-mini, "
        "and whatever else is installed and answers)",
    )
    parser.add_argument(
        "--adapter", action="append", metavar="NAME=RUN",
        help="a LoRA adapter of the first model, or a run of `tutti tune`, to be chosen by name; may be repeated",
    )  # fmt: skip
    add_quantize(parser)
    parser.add_argument(
        "--index", action="append", default=[], metavar="DB", help="a database of `tutti index`; may be repeated"
    )
    parser.add_argument(
        "--report", action="append", default=[], metavar="FOLDER", help="a report of `tutti evaluate`; may be repeated"
    )
    parser.add_argument(
        "--app", action="append", default=[], metavar="NAME=WHERE", help="shop, radiology or moderation, as a tab"
    )
    parser.add_argument(
        "--feedback", type=Path, metavar="DIR", help="keep thumbs, right answers and choices below DIR (tutti feedback)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=7860, metavar="N", help="port to listen at; 0 chooses a free one")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="tenants and digests of their keys, one a line")
    parser.add_argument(
        "--keep-minutes", type=positive(float), default=60.0, metavar="M", help="how long uploads are kept (60)"
    )
    parser.add_argument("--max-upload-mb", type=positive(float), default=200.0, metavar="N", help="largest file (200)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    add_json(parser, "one JSON object when the page is ready")


def run(arguments: argparse.Namespace) -> None:
    """Serve the page until a signal comes.

    Raises:
        MissingExtra: Gradio is not installed.
        InputError: The page would be open to others without a key, its port is in use, or there is no such index.
        CheckpointError: There is no such model.
    """
    from tutti.apps.page.page import is_installed
    from tutti.errors import MissingExtra
    from tutti.serve.keys import Keys
    from tutti.serve.lifecycle import ListenOptions, check_exposure
    from tutti.settings import read_settings

    if not is_installed():
        raise MissingExtra("The page", "ui")
    settings = read_settings()
    keys = Keys.read(arguments.keys, settings.api_keys)
    listen = ListenOptions(host=arguments.host, port=arguments.port, drain_seconds=_DRAIN_S)
    check_exposure(listen, keys)
    if arguments.feedback is not None:
        check_output(arguments.feedback, folder=True)
    models = DemoModels(arguments, settings.model)
    options = _options(arguments, models.names)
    _serve(arguments, options, models, listen, keys)


def _options(arguments: argparse.Namespace, names: Sequence[str]) -> PageOptions:
    from tutti.apps.page.options import PageOptions

    indexes: dict[str, str] = {}
    for folder in arguments.index:
        if not Path(folder).expanduser().is_dir():
            raise InputError(f"{folder} does not exist; make a database with: tutti index FOLDER --into {folder}")
        name = Path(folder).expanduser().resolve().name
        if name in indexes:
            raise InputError(f"Two databases are called {name}; rename one, since people choose by name.")
        indexes[name] = str(Path(folder).expanduser())
    return PageOptions(
        models=names,
        indexes=indexes,
        reports=_reports(arguments.report),
        applications=_applications(arguments.app),
        feedback=arguments.feedback,
        keep_s=60.0 * arguments.keep_minutes,
        max_upload_bytes=int(arguments.max_upload_mb * 2**20),
    )


def _reports(folders: list[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        path = Path(folder).expanduser().resolve()
        if not (path / "report.html").is_file():
            raise InputError(f"{folder} holds no report.html; make one with: tutti evaluate SUITE --out {folder}")
        if path.name in found:
            raise InputError(f"Two reports are called {path.name}; rename one, since people choose by name.")
        found[path.name] = path
    return found


def _applications(given: list[str]) -> dict[str, str]:
    from tutti.cli.applications import named_applications

    named = named_applications(given)
    for name, where in named.items():
        if where is None:
            raise InputError(f"--app {name} was given; expected where it works, as in --app shop=catalogue.db.")
    return {name: where for name, where in named.items() if where is not None}


def _serve(arguments: argparse.Namespace, options: PageOptions, models: DemoModels, listen: Any, keys: Any) -> None:
    from tutti.apps.page.page import DemoPage
    from tutti.media import Limits, Workers
    from tutti.serve import logs
    from tutti.serve.admission import ServerLimits
    from tutti.serve.lifecycle import ServerOptions, make_server, run_announced
    from tutti.serve.media_parts import MediaOpener
    from tutti.settings import read_settings

    workers = Workers()
    decoder = workers.decoder(Limits.from_settings(read_settings()))
    page = DemoPage(options, models.open)
    threading.Thread(target=page.prepare, daemon=True).start()
    first = models.open_first(decoder)  # an error shows here rather than in the page
    name = first.name.rstrip("/").rpartition("/")[2]
    limits = ServerLimits(max_body_bytes=options.max_upload_bytes, body_seconds=600.0)
    offer = ServerOptions(page=page)
    server = make_server(first.responder(), name, listen, keys, limits, MediaOpener(decoder), None, offer)
    logs.configure()

    def ready(url: str) -> None:
        address = f"{url}/ui"
        if arguments.json:
            print_json({"url": address, "models": list(options.models), "pid": os.getpid(), "keys": len(keys)})
        else:
            who = f"for holders of {len(keys)} keys" if len(keys) else "for this machine only"
            note(f"The page is at {address}, {who}. Ctrl-C stops it.")
        if arguments.open:
            import webbrowser

            webbrowser.open(address)

    try:
        listened = run_announced(server, ready)
    finally:
        workers.close()
    if not listened:
        raise InputError(f"Port {listen.port} of {listen.host} is not free; give another with --port.")
