"""An object store on this machine: as much of S3 as LanceDB and Arrow ask for, with objects in memory."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY = "test-key"


class ObjectStore(ThreadingHTTPServer):
    """Its objects by path, as in `/bucket/db/default/…`, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.lock = threading.Lock()
        self.full = False
        """Whether it refuses to take more."""

    @property
    def environment(self) -> dict[str, str]:
        """What leads S3's clients here."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run one."""
    store = ObjectStore()
    thread = threading.Thread(target=store.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        store.shutdown()
        store.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """S3's API reference: GetObject, HeadObject, PutObject, multipart uploads, ListObjectsV2, DeleteObjects."""

    protocol_version = "HTTP/1.1"
    server: ObjectStore

    def log_message(self, *_: object) -> None:
        pass

    def parse_request(self) -> bool:
        done = super().parse_request()
        if done:
            url = urlsplit(self.path)
            self.name = unquote(url.path)
            self.asked = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            self.body = self._read()
            if KEY not in self.headers.get("authorization", ""):
                self.answer(403, "<Error><Code>AccessDenied</Code></Error>")
                return False
        return done

    def _read(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if "aws-chunked" not in self.headers.get("content-encoding", ""):
            return body
        whole = b""
        while size := int(re.split(rb"[;\r]", body, maxsplit=1)[0], 16):
            start = body.index(b"\r\n") + 2
            whole, body = whole + body[start : start + size], body[start + size + 2 :]
        return whole

    def do_GET(self) -> None:
        if "list-type" in self.asked:
            self.answer(200, self.listed())
        elif "location" in self.asked:
            self.answer(200, "<LocationConstraint>us-east-1</LocationConstraint>")
        elif (content := self.server.objects.get(self.name)) is None:
            self.answer(404, "<Error><Code>NoSuchKey</Code></Error>")
        elif span := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("range") or ""):
            start = int(span[1]) if span[1] else len(content) - int(span[2])
            end = min(len(content), int(span[2]) + 1 if span[1] and span[2] else len(content))
            self.answer(206, content[start:end], {"content-range": f"bytes {start}-{end - 1}/{len(content)}"})
        else:
            self.answer(200, content)

    def do_HEAD(self) -> None:
        if self.name.count("/") == 1:
            self.answer(200, b"", {"x-amz-bucket-region": "us-east-1"})
            return
        content = self.server.objects.get(self.name)
        self.answer(404 if content is None else 200, content or b"")

    def do_PUT(self) -> None:
        with self.server.lock:
            if self.server.full:
                self.answer(400, "<Error><Code>QuotaExceeded</Code><Message>full</Message></Error>")
            elif "uploadId" in self.asked:
                self.server.parts[self.asked["uploadId"]][int(self.asked["partNumber"])] = self.body
                self.answer(200)
            elif self.headers.get("if-none-match") == "*" and self.name in self.server.objects:
                self.answer(412, "<Error><Code>PreconditionFailed</Code></Error>")
            else:
                source = self.headers.get("x-amz-copy-source")
                copied = self.server.objects.get("/" + unquote(source or "").lstrip("/"))
                self.server.objects[self.name] = self.body if source is None else copied or b""
                self.answer(200, "<CopyObjectResult/>" if source is not None else "")

    def do_POST(self) -> None:
        if "delete" in self.asked:
            for key in re.findall(r"<Key>(.*?)</Key>", self.body.decode()):
                self.server.objects.pop(f"{self.name.rstrip('/')}/{key}", None)
            self.answer(200, "<DeleteResult/>")
        elif "uploads" in self.asked:
            number = str(len(self.server.parts) + 1)
            self.server.parts[number] = {}
            self.answer(
                200, f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
            )
        else:
            parts = self.server.parts[self.asked["uploadId"]]
            self.server.objects[self.name] = b"".join(parts[number] for number in sorted(parts))
            self.answer(200, '<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>')

    def do_DELETE(self) -> None:
        self.server.objects.pop(self.name, None)
        self.answer(204)

    def listed(self) -> str:
        prefix, stop = self.asked.get("prefix", ""), self.asked.get("delimiter", "")
        below = f"{self.name.rstrip('/')}/"
        after = self.asked.get("start-after", "")
        keys = sorted(name.removeprefix(below) for name in list(self.server.objects) if name.startswith(below + prefix))
        keys = [key for key in keys if key > after]
        folders = {key[: key.index(stop, len(prefix)) + 1] for key in keys if stop and stop in key[len(prefix) :]}
        files = [key for key in keys if not stop or stop not in key[len(prefix) :]]
        lines = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[below + key])}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag></Contents>"
            for key in files
        )
        lines += "".join(f"<CommonPrefixes><Prefix>{escape(key)}</Prefix></CommonPrefixes>" for key in sorted(folders))
        count = len(files) + len(folders)
        return (
            f"<ListBucketResult><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>{lines}</ListBucketResult>"
        )

    def answer(self, status: int, content: str | bytes = b"", headers: dict[str, str] | None = None) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        etag = hashlib.md5(body).hexdigest()
        given = {"content-length": str(len(body)), "etag": f'"{etag}"', **(headers or {})}
        given.setdefault("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
