"""A vault: its root keys from four places, its tenants, and a sentence for whatever is wrong with a key."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tutti.cli.main import main
from tutti.errors import InputError, ProviderError, TuttiError
from tutti.interfaces import Sealer
from tutti.trust.vault import SealedFiles, Vault
from tutti.trust.vault.records import tenant_file
from tutti.trust.vault.root_keys import KeySource
from tutti.trust.vault.rotation import rotate
from tutti.trust.vault.shredding import shred
from tutti.trust.vault.vault import status_of

KMS = """
import base64, sys
key = {key}
content = bytearray(base64.b64decode(sys.stdin.read()))
sys.exit(3) if sys.argv[1] == "unwrap" and not content.startswith(b"KMS") else None
plain = bytes(content)[3:] if sys.argv[1] == "unwrap" else bytes(content)
done = bytes(b ^ key for b in plain)
print(base64.b64encode(done if sys.argv[1] == "unwrap" else b"KMS" + done).decode())
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """From a kind and a name to a root key of that kind, made when it is first asked for."""

    def make(kind: str, name: str) -> str:
        path = tmp_path / f"{name}.{kind}"
        if kind == "file":
            return f"file:{path}"
        if kind == "env":
            variable = f"ROOT_{name.upper()}"
            if variable not in os.environ:
                monkeypatch.setenv(variable, base64.b64encode(os.urandom(32)).decode())
            return f"env:{variable}"
        if kind == "age":
            if not path.exists():
                from pyrage import x25519

                path.touch(mode=0o600)
                path.write_text(f"# made for a test\n{x25519.Identity.generate()}\n")
            return f"age:{path}"
        path.write_text(KMS.format(key=sum(name.encode()) % 200 + 1))
        return f"command:{sys.executable} {path}"

    return make


@pytest.mark.parametrize("kind", ["file", "env", "age", "command"])
def test_each_kind_of_root_key_opens_what_it_sealed(kind: str, sources: Callable[..., str], tmp_path: Path) -> None:
    folder, key = tmp_path / "v", sources(kind, "one")
    sealed = Vault.init(folder, key).sealer("anna").seal(b"what is kept", "thing 1")
    again = Vault.open(folder, key).sealer("anna")
    assert isinstance(again, Sealer)
    assert again.unseal(sealed, "thing 1") == b"what is kept"
    assert b"what is kept" not in sealed and len(sealed) == len(b"what is kept") + 54
    # And another key of the kind is told apart, in a sentence.
    other = sources(kind, "two")
    if kind == "file":
        Path(other.removeprefix("file:")).touch(mode=0o600)
        Path(other.removeprefix("file:")).write_bytes(base64.b64encode(bytes(32)))
    expected = "is not the one of the vault" if kind in ("file", "env") else "does not open|is not the one of the vault"
    with pytest.raises(InputError, match=expected):
        Vault.open(folder, other)


@pytest.fixture
def key(tmp_path: Path) -> str:
    return f"file:{tmp_path / 'root.key'}"


@pytest.fixture
def vault(tmp_path: Path, key: str) -> Vault:
    return Vault.init(tmp_path / "v", key)


def test_a_root_key_is_made_for_its_owner_only(vault: Vault, tmp_path: Path) -> None:
    assert (tmp_path / "root.key").stat().st_mode & 0o777 == 0o600
    vault.sealer("anna")
    assert tenant_file(vault.folder, "anna").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_or_write_is_refused(vault: Vault, key: str, tmp_path: Path, mode: int) -> None:
    (tmp_path / "root.key").chmod(mode)
    with pytest.raises(InputError, match=rf"by others \(mode {mode:04o}\); expected 0600: chmod 600"):
        Vault.open(vault.folder, key)


@pytest.mark.parametrize("kept", [0, 1, 20, 43])
def test_a_cut_root_key_is_refused(vault: Vault, key: str, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"is no key: found \d+ bytes of base64, expected 32\. If it was cut, restore"):
        Vault.open(vault.folder, key)


def test_a_lost_root_key_is_refused_and_not_made_anew(vault: Vault, key: str, tmp_path: Path) -> None:
    (tmp_path / "root.key").unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Vault.open(vault.folder, key)
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize("text", ["", "file:", "root.key", "kms:x", "env"])
def test_what_names_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"names no root key; expected file:PATH, env:NAME, age:"):
        Vault.init(tmp_path / "v", text or ":")


def test_a_command_that_fails_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"ended with exit code 1 when asked to wrap"):
        Vault.init(tmp_path / "v", "command:false")
    with pytest.raises(ProviderError, match="cannot be run: No such file"):
        Vault.init(tmp_path / "w", "command:no-such-program-here")
    with pytest.raises(ProviderError, match="something else than base64"):
        Vault.init(tmp_path / "x", "command:echo ?")


@pytest.mark.parametrize("which", ["vault.json", "tenants/anna.json"])
def test_every_cut_of_a_vaults_files_is_a_sentence(vault: Vault, key: str, which: str) -> None:
    sealed = vault.sealer("anna").seal(b"x", "y")
    path = vault.folder / which
    whole = path.read_bytes()
    for kept in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:kept])
        with pytest.raises(InputError, match=r"is damaged or cut; restore it from your copy"):
            Vault.open(vault.folder, key).sealer("anna").unseal(sealed, "y")
    path.write_bytes(whole)
    assert Vault.open(vault.folder, key).sealer("anna").unseal(sealed, "y") == b"x"


def test_a_tenants_key_cannot_be_changed_or_given_to_another(vault: Vault, key: str) -> None:
    sealed = vault.sealer("anna").seal(b"x", "y")
    vault.sealer("ben")
    anna, ben = (tenant_file(vault.folder, name) for name in ("anna", "ben"))
    values = json.loads(anna.read_text())
    ben.write_text(json.dumps({**json.loads(ben.read_text()), "keys": values["keys"]}))
    with pytest.raises(InputError, match="was changed or cut"):
        Vault.open(vault.folder, key).sealer("ben")
    wrapped = bytearray(base64.b64decode(values["keys"][0]["wrapped"]))
    wrapped[30] ^= 1
    values["keys"][0]["wrapped"] = base64.b64encode(wrapped).decode()
    anna.write_text(json.dumps(values))
    with pytest.raises(InputError, match="was changed or cut"):
        Vault.open(vault.folder, key).sealer("anna").unseal(sealed, "y")


def test_a_blob_opens_in_its_place_only(vault: Vault) -> None:
    anna, ben = vault.sealer("anna"), vault.sealer("ben")
    sealed = anna.seal(b"secret", "draft 1")
    with pytest.raises(InputError, match="put in another's place"):
        anna.unseal(sealed, "draft 2")
    with pytest.raises(InputError, match="which tenant 'ben' has not in this vault"):
        ben.unseal(sealed, "draft 1")
    with pytest.raises(InputError, match="is not sealed or was cut"):
        anna.unseal(b"plain text", "draft 1")
    for kept in range(len(sealed)):
        with pytest.raises(InputError):
            anna.unseal(sealed[:kept], "draft 1")
    assert anna.digest("x") == anna.digest("x") != ben.digest("x")


@pytest.mark.parametrize("tenant", ["", "..", "a/b", ".hidden", "a" * 65, "ä"])
def test_a_tenants_name_cannot_leave_the_vault(vault: Vault, tenant: str) -> None:
    with pytest.raises(InputError, match="is no name of a tenant"):
        vault.sealer(tenant)


def test_a_fresh_key_seals_and_older_ones_open(vault: Vault, key: str) -> None:
    sealer = vault.sealer("anna")
    old, name = sealer.seal(b"old", "c"), sealer.digest("name")
    vault.renew("anna")
    new = sealer.seal(b"new", "c")  # the same sealer, in a process that goes on
    assert old[6:14] != new[6:14]
    again = Vault.open(vault.folder, key).sealer("anna")
    assert (again.unseal(old, "c"), again.unseal(new, "c"), again.digest("name")) == (b"old", b"new", name)


def test_rotation_leaves_what_is_sealed(vault: Vault, key: str, sources: Callable[..., str]) -> None:
    sealed = {name: vault.sealer(name).seal(name.encode(), "c") for name in ("anna", "ben")}
    before = key
    for kind in ("env", "age", "command", "file"):
        after = sources(kind, "next")
        rotate(vault.folder, KeySource.parse(before), KeySource.parse(after))
        with pytest.raises(TuttiError):
            Vault.open(vault.folder, before)
        opened = Vault.open(vault.folder, after)
        assert [opened.sealer(name).unseal(blob, "c") for name, blob in sealed.items()] == [b"anna", b"ben"]
        before = after
    assert not list(vault.folder.glob("*.age"))  # that of the identity is gone with its turn
    with pytest.raises(InputError, match="The new root key is the old one"):
        rotate(vault.folder, KeySource.parse(before), KeySource.parse(before))


def test_who_held_the_old_root_key_is_told_after_a_rotation(vault: Vault, key: str, tmp_path: Path) -> None:
    vault.sealer("anna")
    other = Vault.open(vault.folder, key)
    rotate(vault.folder, KeySource.parse(key), KeySource.parse(f"file:{tmp_path / 'new.key'}"))
    for act in (lambda: other.sealer("anna"), lambda: other.sealer("new"), lambda: other.renew("anna")):
        with pytest.raises(InputError, match="was changed, or its rotation was not finished"):
            act()


def test_an_erased_tenant_is_gone_in_processes_that_go_on(vault: Vault, key: str, tmp_path: Path) -> None:
    sealer = vault.sealer("anna")
    SealedFiles(tmp_path / "drafts", sealer, "draft").put("one", b"text")
    SealedFiles(tmp_path / "drafts", vault.sealer("ben"), "draft").put("one", b"his")
    sealed = sealer.seal(b"x", "c")
    done = shred(vault.folder, "anna", [str(tmp_path / "drafts"), "s3://bucket/db"])
    assert (done.keys, done.files, done.elsewhere) == (1, 1, ("s3://bucket/db",))
    for one in (sealer, Vault.open(vault.folder, key)):
        with pytest.raises(InputError, match="was destroyed, and what it sealed cannot be read any more"):
            (one if one is sealer else one.sealer("anna")).unseal(sealed, "c")
    assert [*SealedFiles(tmp_path / "drafts", vault.sealer("ben"), "draft").names()] == ["one"]
    assert status_of(vault.folder).shredded == ("anna",)
    assert not any(b"wrapped" in path.read_bytes() for path in vault.folder.rglob("*anna*"))
    with pytest.raises(InputError, match="was erased before"):
        shred(vault.folder, "anna")


def test_sealed_files_say_nothing_and_open_in_their_place(vault: Vault, tmp_path: Path) -> None:
    files = SealedFiles(tmp_path / "f", vault.sealer("anna"), "medium")
    files.put("photo of ben.jpg", b"pixels")
    files.put("other.jpg", b"others")
    assert (files.get("photo of ben.jpg"), files.get("none"), sorted(files.names())) == (
        b"pixels",
        None,
        ["other.jpg", "photo of ben.jpg"],
    )
    one, two = sorted((tmp_path / "f").iterdir())
    assert b"pixels" not in one.read_bytes() + two.read_bytes() and "ben" not in one.name + two.name
    one.write_bytes(two.read_bytes())
    with pytest.raises(InputError, match="put in another's place"):
        list(files.names())
    assert files.delete("other.jpg") and not files.delete("other.jpg")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TUTTI_VAULT_KEY", f"file:{tmp_path / 'a.key'}")
    folder = str(tmp_path / "v")
    assert main(["vault", "init", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"vault": folder, "key": f"file:{tmp_path / 'a.key'}"}
    assert main(["vault", "init", folder]) == 2
    assert "is a vault already" in capsys.readouterr().err
    Vault.open(folder).sealer("anna")
    assert main(["vault", "rotate", folder, "--tenant", "anna"]) == 0
    assert main(["vault", "rotate", folder, "--to", f"file:{tmp_path / 'b.key'}"]) == 0
    monkeypatch.setenv("TUTTI_VAULT_KEY", f"file:{tmp_path / 'b.key'}")
    assert main(["vault", "shred", folder, "--tenant", "anna"]) == 2
    assert "Nothing was destroyed; this cannot be undone" in capsys.readouterr().err
    assert main(["vault", "status", folder]) == 0
    assert "anna: 2 keys" in capsys.readouterr().out
    assert main(["vault", "shred", folder, "--tenant", "anna", "--yes"]) == 0
    assert main(["vault", "status", folder, "--json"]) == 0
    assert '"shredded": ["anna"]' in capsys.readouterr().out
    for words in (["rotate", folder], ["shred", folder], ["status", str(tmp_path)]):
        assert main(["vault", *words]) == 2
