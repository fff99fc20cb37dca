"""Cases of a tenant on disk. A report is final where, and only where, a person's signature over it holds.

A change is: the new state beside the old one, then an entry in the audit log, then the new in the place of the old. The
entry decides: after a kill, a new state whose digest is in the log takes its place, and any other is removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tutti.apps.radiology.effort import effort_of, times_of
from tutti.apps.radiology.report import Draft
from tutti.errors import InputError, writing
from tutti.interfaces import Sealer
from tutti.trust.clinical.chain import AuditLog, canonical, digest
from tutti.trust.clinical.signing_keys import holds

_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MARK = re.compile(r"\[(F\d+)\]")
_MOST_TEXT = 200_000
CaseStatus = Literal["preliminary", "final", "damaged"]


class Cases:
    """The cases of one tenant.

    Args:
        folder: Of all tenants.
        tenant: Whose.
        sealer: Seals states and log; None writes them as they are.
    """

    def __init__(self, folder: str | Path, tenant: str = "default", sealer: Sealer | None = None) -> None:
        if not _NAME.fullmatch(tenant):
            raise InputError(f"The tenant {tenant!r} was named; expected up to 64 letters, digits, dots, - and _.")
        self.folder = Path(folder).expanduser() / tenant
        self.sealer = sealer
        self.log = AuditLog(self.folder / "audit.log", sealer)

    def put(self, draft: Draft) -> None:
        """Keep a draft, in the place of an earlier one of the case.

        Raises:
            InputError: The case is final, or its name is none.
        """
        self._file(draft.case)
        with self.log.held():
            if self._known(draft.case) and self._status(self._load(draft.case)) == "final":
                raise InputError(f"The case {draft.case} is final and stays as it was signed; give another name.")
            # As JSON gives it back: tuples are lists there, and the digest is over what is read.
            body = {"format": _FORMAT, "draft": json.loads(json.dumps(draft.to_dict())), "final": None}
            self._commit(draft.case, body, {"event": "drafted"})

    def draft(self, case: str) -> Draft:
        """The draft of a case. Errors: `state`."""
        return Draft.from_dict(self.state(case)["draft"])

    def state(self, case: str) -> dict[str, Any]:
        """The state of a case: `draft`, `final` (None, or statement, public_key, signature) and its `status`.

        Raises:
            InputError: There is no such case, or it was changed outside of this program.
        """
        with self.log.held():
            body = self._load(case)
        return {**body, "status": self._status(body)}

    def queue(self) -> list[dict[str, Any]]:
        """All cases that were ever drafted: those that wait first, the urgent before others, then the older.

        Raises:
            InputError: The audit log was changed.
        """
        with self.log.held():
            names = dict.fromkeys(entry["case"] for entry in self.log.entries())
            rows = [self._row(name) for name in names]
        order: tuple[CaseStatus, ...] = ("damaged", "preliminary", "final")
        return sorted(rows, key=lambda row: (order.index(row["status"]), -row["urgency"], row["made"], row["case"]))

    def opened(self, case: str, reader: str) -> str:
        """Note that a person begins to read a case: from here to their signature is their time with it.

        Args:
            case: Which.
            reader: First and last name, as they sign.

        Returns:
            When, in UTC.

        Raises:
            InputError: There is no such case, it is final already, or the name is none.
        """
        _check_name(reader, "reader")
        with self.log.held():
            body = self._load(case)
            if self._status(body) != "preliminary":
                raise InputError(f"The case {case} is final; expected one that waits to be read.")
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.log.append({"event": "opened", "reader": reader, "case": case, "at": now, "content": digest(body)})
        return now

    def statement(self, case: str, signer: str, text: str, struck: Mapping[str, str]) -> dict[str, Any]:
        """What a person signs: the text that they accept, and why findings were struck, bound to this draft.

        Args:
            case: Which.
            signer: The person's name.
            text: All of the report as they accept it; `[F1]` stays at the sentences of each finding that stays.
            struck: Id of each finding that does not → reason.

        Raises:
            InputError: A name, a finding or a reason is missing, or there is no such case.
        """
        body = self.state(case)
        made = {"case": case, "draft": digest(body["draft"]), "signer": signer, "text": text, "struck": dict(struck),
                "at": datetime.now(UTC).isoformat(timespec="seconds")}  # fmt: skip
        _check(made, body)
        return made

    def sign(self, statement: dict[str, Any], public_key: str, signature: str) -> dict[str, Any]:
        """Make a report final: the only way there is.

        Args:
            statement: What `statement` made.
            public_key: The person's, Ed25519 in base64.
            signature: Over the canonical form of the statement, in base64.

        Returns:
            The state, as `state` gives it.

        Raises:
            InputError: The signature does not hold; the draft is another by now; the case is final; or the name signed
                with another key before.
        """
        if set(statement) != {"case", "draft", "signer", "text", "struck", "at"}:
            raise InputError("The statement lacks something or holds more; sign the one that was made, unchanged.")
        case = str(statement["case"])
        if not holds(public_key, signature, canonical(statement)):
            raise InputError(f"The signature for {case} does not hold; sign the statement with the key that is given.")
        with self.log.held():
            body = self._load(case)
            if self._status(body) == "final":
                raise InputError(f"The case {case} is final already; a signed report is not signed again.")
            _check(statement, body)
            self._check_key(str(statement["signer"]), public_key)
            final = {"statement": statement, "public_key": public_key, "signature": signature,
                     **effort_of(body["draft"], statement)}  # fmt: skip
            after = {**body, "final": final}
            if self._status(after) != "final":
                raise InputError(f"The statement for {case} is not about its draft; make a new one.")
            event = {"event": "signed", "signer": statement["signer"], "public_key": public_key}
            self._commit(case, after, event)
        return {**after, "status": "final"}

    def figures(self) -> dict[str, Any]:
        """Check all that is kept, and count: entries, cases, findings that were not struck, edits, time to signature.

        Raises:
            InputError: The audit log was changed.
        """
        rows = self.queue()
        finals = [row for row in rows if row["status"] == "final"]
        timed = times_of(self.log.entries())
        struck, stated = sum(row["struck"] for row in finals), sum(len(row["findings"]) for row in finals)
        return {
            "entries": len(self.log.entries()),
            "cases": len(rows),
            "preliminary": sum(row["status"] == "preliminary" for row in rows),
            "final": len(finals),
            "damaged": [row["case"] for row in rows if row["status"] == "damaged"],
            "agreed_share": 1 - struck / stated if stated else None,
            "edited_share": statistics.fmean(row["edited_share"] for row in finals) if finals else None,
            "seconds_to_sign": statistics.median(row["seconds_to_sign"] for row in finals) if finals else None,
            "timed": len(timed),
            "seconds_with_case": statistics.median(timed) if timed else None,
        }

    def _row(self, case: str) -> dict[str, Any]:
        try:
            body = self._load(case)
        except InputError as error:
            return {"case": case, "status": "damaged", "urgency": 0.0, "made": "", "reason": str(error)}
        draft, final = body["draft"], body["final"]
        row = {"case": case, "status": self._status(body), "urgency": draft["urgency"], "made": draft["made"],
               "contradictions": len(draft["contradictions"]),
               "findings": [f"{each['name']} {each['state']}" for each in draft["findings"]]}  # fmt: skip
        if row["status"] == "final":
            row |= {"signer": final["statement"]["signer"], "struck": len(final["statement"]["struck"]),
                    "edited_share": final["edited_share"], "seconds_to_sign": final["seconds_to_sign"]}  # fmt: skip
        return row

    def _status(self, body: dict[str, Any]) -> CaseStatus:
        final = body["final"]
        if final is None:
            return "preliminary"
        said = final["statement"]
        bound = said["draft"] == digest(body["draft"]) and said["case"] == body["draft"]["case"]
        whole = bound and holds(final["public_key"], final["signature"], canonical(said))
        return "final" if whole else "damaged"

    def _check_key(self, signer: str, public_key: str) -> None:
        for entry in self.log.entries():
            if entry["event"] != "signed":
                continue
            if (entry["signer"] == signer) != (entry["public_key"] == public_key):
                raise InputError(
                    f"{entry['signer']} signed with the key {entry['public_key'][:12]}… before; a name has one "
                    "key here, and a key one name."
                )

    def _known(self, case: str) -> bool:
        return any(entry["case"] == case for entry in self.log.entries())

    def _file(self, case: str) -> Path:
        if not _NAME.fullmatch(case):
            raise InputError(f"The case {case!r} was named; expected up to 64 letters, digits, dots, - and _.")
        return self.folder / "cases" / f"{hashlib.sha256(case.encode()).hexdigest()[:40]}.json"

    def _load(self, case: str) -> dict[str, Any]:
        file = self._file(case)
        entries = [entry for entry in self.log.entries() if entry["case"] == case]
        if not entries:
            raise InputError(f"There is no case {case}; tutti radiology queue lists all.")
        promised = entries[-1]["content"]
        following = file.with_suffix(".next")
        if following.exists():
            try:
                done = digest(self._read(following, case)) == promised
            except InputError:
                done = False  # cut off by a kill before its entry
            if done:
                following.replace(file)
            else:
                following.unlink()
        body = self._read(file, case)
        if digest(body) != promised:
            raise InputError(f"The case {case} was changed outside of this program; restore it from your copy.")
        return body

    def _read(self, file: Path, case: str) -> dict[str, Any]:
        try:
            content = file.read_bytes()
            plain = self.sealer.unseal(content, _context(case)) if self.sealer is not None else content
            body = json.loads(plain)
            if body["format"] == _FORMAT:
                return dict(body)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise InputError(f"The case {case} is missing, damaged or sealed with another key; restore it from your copy.")

    def _commit(self, case: str, body: dict[str, Any], event: dict[str, Any]) -> None:
        file = self._file(case)
        content = canonical(body)
        following = file.with_suffix(".next")
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with following.open("wb") as out:
                out.write(self.sealer.seal(content, _context(case)) if self.sealer is not None else content)
                out.flush()
                os.fsync(out.fileno())
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.log.append({**event, "case": case, "at": now, "content": digest(body)})
        with writing(file):
            following.replace(file)


def _context(case: str) -> str:
    return f"radiology case {case}"


def _check(statement: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Whether a statement may be signed for a state."""
    signer, text, struck = statement["signer"], statement["text"], statement["struck"]
    if not isinstance(signer, str) or not isinstance(text, str) or not isinstance(struck, dict):
        raise InputError("The statement is of another form; sign the one that was made, unchanged.")
    _check_name(signer, "signer")
    if not text.strip() or len(text) > _MOST_TEXT:
        raise InputError(f"The accepted text has {len(text):,} characters; expected 1 to {_MOST_TEXT:,}.")
    if statement["draft"] != digest(body["draft"]):
        raise InputError(f"The draft of {statement['case']} is another than the one that was read; read it again.")
    known = {each["id"]: each["name"] for each in body["draft"]["findings"]}
    kept = set(_MARK.findall(text))
    unknown = sorted((kept | set(struck)) - set(known))
    if unknown:
        raise InputError(f"The draft has no finding {unknown[0]}; it has {', '.join(known) or 'none'}.")
    for number, name in known.items():
        if number not in kept and not str(struck.get(number, "")).strip():
            raise InputError(
                f"{number} ({name}) is not in the accepted text; expected [{number}] in it, or a "
                "reason why it was struck."
            )
        if number in kept and number in struck:
            raise InputError(
                f"{number} ({name}) was struck and is still in the accepted text; take [{number}] out of it."
            )


def _check_name(name: str, role: str) -> None:
    if len(re.findall(r"[^\W\d_]{2,}", name)) < 2:
        raise InputError(f"The {role} is {name!r}; expected a person's first and last name.")
