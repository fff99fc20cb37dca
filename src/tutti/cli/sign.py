"""Sign a medium with your certificate, with what was done to it, so that others can check it (C2PA)."""

from __future__ import annotations

import argparse

from tutti.cli.options import add_json, check_output, print_json

_EPILOG = """examples:
  tutti sign copy.jpg --cert me.pem --key me.key --out signed.jpg --action "c2pa.edited=Faces covered"
  tutti sign drawn.png --cert me.pem --key me.key --out signed.png --by-model

The certificate comes first in its file, then those up to its CA; it needs the usage of signing e-mail or documents, as
C2PA demands. Nothing is fetched, so that there is no time stamp: once the certificate expires, so does the signature.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="a picture, recording or video")
    parser.add_argument("--cert", required=True, metavar="PEM", help="certificate chain")
    parser.add_argument("--key", required=True, metavar="PEM", help="private key, mode 0600")
    parser.add_argument("--out", required=True, metavar="FILE", help="where the signed copy goes")
    parser.add_argument(
        "--action",
        action="append",
        default=[],
        metavar="NAME[=WORDS]",
        help="what was done, as C2PA names it; may be repeated",
    )
    parser.add_argument("--by-model", action="store_true", help="a trained model made it")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Sign.

    Raises:
        InputError: A file is not what it should be, or there is one at the goal.
    """
    from tutti.trust.provenance.signing import Action, sign

    check_output(arguments.out)
    pairs = [text.partition("=") for text in arguments.action]
    actions = [Action(name, words or None) for name, _, words in pairs]
    sign(
        arguments.file,
        arguments.out,
        cert=arguments.cert,
        key=arguments.key,
        actions=actions,
        by_model=arguments.by_model,
    )
    if arguments.json:
        print_json({"file": arguments.file, "out": arguments.out, "actions": [action.name for action in actions]})
        return
    print(f"Signed {arguments.out}.")
