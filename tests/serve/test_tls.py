"""HTTPS by certificate files: at least TLS 1.2, client certificates where a CA for them is given."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import tutti
from tests.serve.fake_models import Parrot
from tutti.cli.main import main
from tutti.errors import InputError, ProviderError
from tutti.media import InProcess, Limits
from tutti.serve.admission import ServerLimits
from tutti.serve.keys import Keys
from tutti.serve.lifecycle import ListenOptions, Server, make_server
from tutti.serve.media_parts import MediaOpener
from tutti.serve.tls import TlsFiles


class Authority:
    """A CA in a folder, and what it certifies."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._signed(self.subject, self.key.public_key(), ca=True))

    def certify(self, name: str, use: x509.ObjectIdentifier) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert, path = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert.write_bytes(self._signed(subject, key.public_key(), use=use))
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert, path

    def _signed(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, ca: bool = False, use: object = None
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(self.subject, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(own, critical=False)
        if ca:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    cert, key = authority.certify("server", ExtendedKeyUsageOID.SERVER_AUTH)
    return TlsFiles(cert=cert, key=key)


@contextmanager
def listening(files: TlsFiles) -> Iterator[Server]:
    listen = ListenOptions(port=0, drain_seconds=5.0, tls=files)
    opener = MediaOpener(InProcess(Limits()))
    server = make_server(Parrot(), "parrot", listen, Keys({}), ServerLimits(), opener)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(30)


def health(server: Server, context: ssl.SSLContext) -> bytes:
    with urllib.request.urlopen(f"{server.url}/health", timeout=10, context=context) as answer:
        return answer.read()


def test_it_answers_over_tls_to_who_trusts_its_ca(files: TlsFiles, authority: Authority) -> None:
    with listening(files) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert b"ok" in health(server, ssl.create_default_context(cafile=authority.file))
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            health(server, ssl.create_default_context())


def test_our_client_trusts_a_ca_that_is_named_and_says_how_to_name_one(
    files: TlsFiles, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with listening(files) as server:
        name = f"{server.url}/v1#parrot"
        for encrypt in (False, True):
            with pytest.raises(ProviderError, match=r"not trusted here \(.+\); name the file .* SSL_CERT_FILE"):
                tutti.load(name, encrypt=encrypt).ask("Hello?")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert tutti.load(name).ask("Hello?").text
        with pytest.raises(ProviderError, match="start it with --encrypted-media"):
            tutti.load(name, encrypt=True).ask("Hello?")


@pytest.mark.parametrize(("version", "accepted"), [("TLSv1_3", True), ("TLSv1_2", True), ("TLSv1_1", False)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_below_tls_1_2(files: TlsFiles, authority: Authority, version: str, accepted: bool) -> None:
    context = ssl.create_default_context(cafile=authority.file)
    wanted = ssl.TLSVersion[version]
    context.minimum_version, context.maximum_version = min(wanted, ssl.TLSVersion.TLSv1_2), wanted
    if not accepted:
        context.minimum_version = wanted
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    with listening(files) as server:
        if accepted:
            assert b"ok" in health(server, context)
            return
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_clients_show_a_certificate_where_a_ca_for_them_is_given(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    own = Authority(tmp_path, "clients")
    good = own.certify("anna", ExtendedKeyUsageOID.CLIENT_AUTH)
    other = authority.certify("eve", ExtendedKeyUsageOID.CLIENT_AUTH)
    with listening(TlsFiles(cert=files.cert, key=files.key, client_ca=own.file)) as server:
        for shown, welcome in ((good, True), (other, False), (None, False)):
            context = ssl.create_default_context(cafile=authority.file)
            if shown is not None:
                context.load_cert_chain(*shown)
            if welcome:
                assert b"ok" in health(server, context)
            else:
                with pytest.raises((urllib.error.URLError, OSError)):
                    health(server, context)


def test_files_that_are_not_what_they_should_be_are_named(
    files: TlsFiles, authority: Authority, tmp_path: Path
) -> None:
    other, _ = authority.certify("other", ExtendedKeyUsageOID.SERVER_AUTH)
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    cases = [
        (TlsFiles(cert=tmp_path / "none", key=files.key), "none does not exist; expected the file of the certificate"),
        (TlsFiles(cert=other, key=files.key), "expected two that belong together"),
        (TlsFiles(cert=empty, key=files.key), "are no certificate with its private key in PEM"),
        (TlsFiles(cert=files.cert, key=files.key, client_ca=empty), "holds no certificates of CAs"),
    ]
    for case, expected in cases:
        with pytest.raises(InputError, match=expected):
            case.context()
    files.key.chmod(0o640)
    with pytest.raises(InputError, match=r"can be read by others \(0640\): chmod 600"):
        files.context()


def test_options_that_lack_another_are_refused(files: TlsFiles, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["--tls-cert", str(files.cert)], "TLS takes both"),
        (["--tls-client-ca", str(files.cert)], "give all three"),
        (["--media-key", "m.key"], "without --encrypted-media"),
        (["--vault-key", "env:X"], "without --vault"),
    ):
        assert main(["serve", *words, "--port", "0"]) == 2
        assert expected in capsys.readouterr().err
