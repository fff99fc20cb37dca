"""C2PA: what a file says of itself is told apart from what it is worth, and nothing is fetched or brought down."""

from __future__ import annotations

import io
import json
import shutil
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image as pillow

from tests.trust.provenance.authority import Authority
from tutti.cli.main import main
from tutti.errors import CapacityError, InputError
from tutti.trust.provenance import Action, Provenance, provenance_of, sign
from tutti.trust.provenance.confined import Budget
from tutti.trust.provenance.findings import found
from tutti.trust.provenance.signing import FACES_COVERED, METADATA_REMOVED

EXAMPLES = Path(__file__).parents[3] / "examples/media"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provenance")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def signer(authority: Authority) -> tuple[Path, Path]:
    return authority.signer("anna")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    pillow.fromarray(pixels).save(folder / "plain.jpg", "JPEG")
    return folder / "plain.jpg"


@pytest.fixture(scope="module")
def signed(folder: Path, plain: Path, signer: tuple[Path, Path]) -> Path:
    cert, key = signer
    sign(plain, folder / "signed.jpg", cert=cert, key=key, actions=[FACES_COVERED, METADATA_REMOVED])
    return folder / "signed.jpg"


def trusted(authority: Authority) -> str:
    return authority.pem.decode()


def test_most_files_say_nothing_and_are_not_called_fake(plain: Path) -> None:
    result = provenance_of(plain)
    assert (result.binding, result.signer) == ("none", None)
    assert "does not make it fake" in result.sentence


def test_a_bound_manifest_of_a_known_signer(signed: Path, authority: Authority) -> None:
    result = provenance_of(signed, trusted(authority))
    assert (result.binding, result.signer, result.signed_by, result.issuer) == ("bound", "known", "anna", "anna Org")
    assert result.actions == ("c2pa.opened", "c2pa.edited (Faces covered)", "c2pa.edited.metadata (Metadata removed)")
    assert result.made_with is not None and result.made_with.startswith("tutti") and result.codes == ()
    assert result.signed_at is None  # no time stamp, and the signer's clock is no evidence
    assert "for whom a CA of your trust list stands" in result.sentence


def test_an_unknown_signer_is_not_called_fake(signed: Path, folder: Path) -> None:
    for trust in (None, trusted(Authority(folder, "other"))):
        result = provenance_of(signed, trust)
        assert (result.binding, result.signer) == ("bound", "unknown")
        assert "it may be anyone. Unknown is not fake." in result.sentence


@pytest.mark.parametrize("place", ["pixels", "manifest"])
def test_what_was_changed_after_signing_is_broken(signed: Path, authority: Authority, folder: Path, place: str) -> None:
    content = bytearray(signed.read_bytes())
    where = len(content) - 200 if place == "pixels" else content.index(b"Faces covered") + 3
    content[where] ^= 1
    changed = folder / f"changed-{place}.jpg"
    changed.write_bytes(content)
    result = provenance_of(changed, trusted(authority))
    assert result.binding == "broken" and result.codes
    assert "was changed after it was signed" in result.sentence and "says nothing of who" in result.sentence


def test_an_expired_signer_is_told_apart(plain: Path, folder: Path, authority: Authority) -> None:
    cert, key = authority.signer("brief", seconds=4)
    sign(plain, folder / "brief.jpg", cert=cert, key=key)
    result = provenance_of(folder / "brief.jpg", trusted(authority))
    deadline = time.monotonic() + 15
    while result.signer != "expired" and time.monotonic() < deadline:
        time.sleep(1)
        result = provenance_of(folder / "brief.jpg", trusted(authority))
    assert (result.binding, result.signer) == ("bound", "expired")
    assert "has expired since" in result.sentence


def test_a_picture_of_a_model_says_so(
    plain: Path, folder: Path, authority: Authority, signer: tuple[Path, Path]
) -> None:
    sign(plain, folder / "drawn.jpg", cert=signer[0], key=signer[1], by_model=True)
    result = provenance_of(folder / "drawn.jpg", trusted(authority))
    assert (result.ai_generated, result.binding) == (True, "bound")
    assert "a trained model made it" in result.sentence


@pytest.mark.parametrize("kind", ["p384", "ed25519", "rsa"])
def test_other_kinds_of_keys_sign(plain: Path, folder: Path, authority: Authority, kind: str) -> None:
    cert, key = authority.signer(kind, kind)
    sign(plain, folder / f"{kind}.jpg", cert=cert, key=key)
    assert provenance_of(folder / f"{kind}.jpg", trusted(authority)).signer == "known"


@pytest.mark.parametrize("name", ["picture.png", "video.mp4"])
def test_other_formats_are_signed_and_signed_again(
    name: str, folder: Path, authority: Authority, signer: tuple[Path, Path]
) -> None:
    first, again = folder / f"first-{name}", folder / f"again-{name}"
    sign(EXAMPLES / name, first, cert=signer[0], key=signer[1])
    sign(first, again, cert=signer[0], key=signer[1], actions=[Action("c2pa.cropped")])
    result = provenance_of(again, trusted(authority))
    assert (result.binding, result.signer) == ("bound", "known") and "c2pa.cropped" in result.actions


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server that would give a manifest, and what it was asked for."""
    asked: list[str] = []

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/store.c2pa", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_manifest_elsewhere_is_never_fetched(
    elsewhere: tuple[str, list[str]], plain: Path, folder: Path, signer: tuple[Path, Path]
) -> None:
    import c2pa

    address, asked = elsewhere
    info = c2pa.C2paSignerInfo("es256", signer[0].read_bytes(), signer[1].read_bytes(), None)
    builder = c2pa.Builder({"claim_generator_info": [{"name": "t"}]})
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    builder.set_remote_url(address)
    builder.set_no_embed()
    made = io.BytesIO()
    builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(plain.read_bytes()), made)
    (folder / "remote.jpg").write_bytes(made.getvalue())
    asked.clear()
    # With the library's defaults, reading the file asks whom it names: the reader would be seen.
    fetching = c2pa.Context.from_dict({"version": 1, "verify": {"remote_manifest_fetch": True}})
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader(io.BytesIO(made.getvalue()), context=fetching)
    assert asked == ["/store.c2pa"]
    asked.clear()
    result = provenance_of(folder / "remote.jpg")
    assert result.binding == "elsewhere" and not asked
    assert "which is not fetched" in result.sentence


PARSER = """import ctypes, os, socket, time
class Context:
  from_dict = staticmethod(dict)
class Reader:
  def __init__(self, file, context):
"""


def inside(code: str, monkeypatch: pytest.MonkeyPatch, folder: Path, **budget: float) -> Provenance:
    """What is found of a file whose parser does something else: it is replaced by a module of our own."""
    place = folder / f"evil{abs(hash(code))}"
    place.mkdir(exist_ok=True)
    (place / "c2pa.py").write_text(PARSER + f"    {code}\n")
    monkeypatch.syspath_prepend(str(place))
    shutil.copy(EXAMPLES / "picture.png", place / "picture.png")
    return provenance_of(place / "picture.png", budget=Budget(**budget))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.abort()", "crashed"),
        ("ctypes.string_at(0)", "crashed"),
        ("time.sleep(60)", "more than 3 s"),
        ("while True: pass", "more than 3 s"),
        ("bytes(2**33)", "more memory than it may"),
        ("os.write(3, b'x' * 100)", "crashed"),
    ],
)
def test_a_parser_that_crashes_hangs_or_grows_costs_its_process_only(
    code: str, said: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    result = inside(code, monkeypatch, folder, seconds=3.0)
    assert result.binding == "unreadable" and said in str(result.reason)


@pytest.mark.parametrize("code", ["socket.socket()", "open('/dev/null')", "open('/dev/null', 'w')"])
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_parser_that_was_taken_over_opens_neither_socket_nor_file(
    code: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    exec(code, {"socket": socket})  # it can here
    assert "Too many open files" in str(inside(code, monkeypatch, folder).reason)


def test_hostile_files_are_found_to_be_so(signed: Path, folder: Path) -> None:
    whole = signed.read_bytes()
    for number, content in enumerate([b"", b"\0" * 5000, whole[:1500], whole[:-1000], b"%PDF-1.7" + whole[8:]]):
        path = folder / f"hostile{number}.jpg"
        path.write_bytes(content)
        assert provenance_of(path).binding in ("unreadable", "broken", "none"), number


def test_a_strangers_text_is_bounded_and_printable() -> None:
    name = "\x1b[31mred" + "x" * 1000
    store = {"active_manifest": "m", "manifests": {"m": {"signature_info": {"common_name": name}}}}
    result = found("f", store)
    assert result.signed_by == "[31mred" + "x" * 192


def test_what_cannot_be_signed_is_said(
    plain: Path, folder: Path, authority: Authority, signer: tuple[Path, Path]
) -> None:
    cert, key = signer
    text = folder / "a.txt"
    text.write_text("words")
    other, _ = authority.signer("other-cert")
    ca_key = folder / "ca.key"  # a CA's certificate may not sign media
    ca_key.touch(mode=0o600)
    ca_key.write_bytes(authority.key_pem)
    loose = folder / "loose.key"
    shutil.copy(key, loose)
    loose.chmod(0o644)
    cases = [
        ({"source": text}, "is of no format that can be signed"),
        ({"out": plain}, "exists already, and nothing is written over"),
        ({"cert": text}, "holds no certificate in PEM"),
        ({"key": cert}, r"by others|holds no private key"),
        ({"key": loose}, r"by others \(mode 0644\)"),
        ({"cert": other}, "is not the key of the first certificate"),
        ({"cert": authority.file, "key": ca_key}, "cannot be signed with"),
        ({"source": folder / "none.jpg"}, "cannot be read"),
    ]
    for change, expected in cases:
        given = {"source": plain, "out": folder / "never.jpg", "cert": cert, "key": key, **change}
        with pytest.raises(InputError, match=expected):
            sign(**given)
        assert not (folder / "never.jpg").exists()


def test_a_file_over_the_limit_is_refused(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_MAX_BYTES", "100")
    with pytest.raises(CapacityError, match="the limit of TUTTI_MAX_BYTES"):
        provenance_of(plain)


def test_the_commands(
    plain: Path, folder: Path, authority: Authority, signer: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(folder / "by-command.jpg")
    words = ["sign", str(plain), "--cert", str(signer[0]), "--key", str(signer[1]), "--out", out]
    assert main([*words, "--action", "c2pa.edited=Faces covered"]) == 0
    assert main(words) == 2
    capsys.readouterr()
    assert main(["provenance", out, str(plain), "--trust", str(authority.file), "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["binding"], first["signer"], second["binding"]) == ("bound", "known", "none")
    assert main(["provenance", out]) == 0
    assert "Unknown is not fake" in capsys.readouterr().out
    assert main(["provenance", out, "--trust", str(plain)]) == 2
