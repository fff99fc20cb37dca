"""Run a page as a reader would: every command and every snippet, in order, in a folder with the example media.

python -m tools.guides PAGE …           fail where a page shows what does not come out
python -m tools.guides --write PAGE …   put what comes out into the pages

An output that is written is one that the page shows otherwise; `?` below a command asks for its first.

Commands of `tutti` run in this process; others run in bash. A command that ends with `&` is a server: it runs until the
end of the page, and where the page says port 8000 there is a free one. `<!-- stand-in: NAME -->` makes, before the next
block, what a page needs and a test has not (`tests/docs/stand_ins.py`): a tiny folder in the place of a model of the
hub, a server on this machine in that of a hosted one. `<!-- exit: N -->` gives the exit code of the next block.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.fences import Block, agrees, blocks, commands, written

ROOT = Path(__file__).parent.parent
_NOTE = re.compile(r"<!-- (stand-in|exit): (\S+?) -->")


class Mismatch(Exception):
    """A page shows what does not come out."""


@dataclass
class Run:
    """One reading of a page.

    Args:
        page: Its Markdown.
        folder: Where the reader is.
        port: What stands for port 8000.
        write: Put what comes out into the page instead of comparing.
    """

    page: str
    folder: Path
    port: int
    write: bool = False
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    cleanup: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    edits: list[tuple[int, int, str]] = field(default_factory=list)

    def all_of_it(self) -> str:
        """Run every block.

        Returns:
            The page, with what came out if it was to be written.

        Raises:
            Mismatch: A command ends otherwise than with 0, or prints something else than the page shows.
        """
        at, output = 0, ""
        for block in blocks(self.page):
            notes = dict(_NOTE.findall(self.page[at : block.start]))
            if "stand-in" in notes:
                self._stand_in(notes["stand-in"])
            if block.title is not None:
                (self.folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / block.title).write_text(self._with_port(block.body), encoding="utf-8")
            elif block.language == "console":
                self._console(block, int(notes.get("exit", 0)))
            elif block.language == "python":
                output = self._python(block)
            elif block.language == "text" and not self.page[at : block.start].replace("```text\n", "").strip():
                self._compare(block, block.body, output, block.start, len(block.body))
            at = block.start + len(block.body) + len("```")
        for start, length, text in reversed(self.edits):
            self.page = self.page[:start] + text + self.page[start + length :]
        return self.page

    def close(self) -> None:
        """End the servers, and what stood in."""
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait(30)
        self.cleanup.close()

    def _stand_in(self, name: str) -> None:
        from tests.docs.stand_ins import STAND_INS

        self.cleanup.enter_context(STAND_INS[name](self.folder))

    def _console(self, block: Block, expected: int) -> None:
        done: list[tuple[str, str]] = []
        pairs = commands(block.body)
        for index, (command, shown) in enumerate(pairs):
            code, printed = self._command(self._with_port(command))
            if code != (expected if index == len(pairs) - 1 else 0):
                raise Mismatch(f"line {block.line}: `{command}` ends with {code}:\n{printed}")
            printed = printed.replace(f":{self.port}", ":8000").replace(str(self.folder), "…")
            if printed and not printed.endswith("\n"):
                printed += "\n"
            if not self.write and shown.strip() and not agrees(shown, printed):
                raise Mismatch(f"line {block.line}: `{command}` shows\n{shown}\nand prints\n{printed}")
            keep = not shown.strip() or agrees(shown, printed)
            done.append((command, shown if keep else printed))
        if self.write and written(done) != block.body:
            self.edits.append((block.start, len(block.body), written(done)))

    def _python(self, block: Block) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(self._with_port(block.body), f"line {block.line}", "exec"), self.names)
        return said.getvalue()

    def _compare(self, block: Block, shown: str, printed: str, start: int, length: int) -> None:
        if agrees(shown, printed):
            return
        if not self.write:
            raise Mismatch(f"line {block.line}: the page shows\n{shown}\nand the code above prints\n{printed}")
        self.edits.append((start, length, printed))

    def _with_port(self, text: str) -> str:
        return text.replace(":8000", f":{self.port}").replace("--port 8000", f"--port {self.port}")

    def _command(self, command: str) -> tuple[int, str]:
        if command.endswith("&"):
            return self._serve(command.removesuffix("&"))
        if (words := _plain(command)) is not None:
            return _in_process(words)
        if found := re.fullmatch(r"cd (\S+)", command):
            os.chdir(found[1])
            return 0, ""
        script = f'tutti() {{ {shlex.quote(sys.executable)} -m tutti "$@"; }}\nset -e\n{command}'
        done = subprocess.run(
            ["bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            check=False,
        )
        return done.returncode, done.stdout

    def _serve(self, command: str) -> tuple[int, str]:
        words = [sys.executable, "-m", *shlex.split(command)]
        if "--port" not in words:
            words += ["--port", str(self.port)]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        self.servers.append(server)
        end = time.monotonic() + 60
        while time.monotonic() < end and server.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
                return 0, ""
            time.sleep(0.1)
        return server.poll() or 1, f"`{command}` gave no /health within a minute."


def environment() -> dict[str, str]:
    """What a command beside this process sees."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def _plain(command: str) -> list[str] | None:
    """The words behind `tutti`; None of another command, or one that needs a shell for more than a last `> FILE`."""
    if not command.startswith("tutti ") or "$" in command:
        return None
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)[1:]
    if any(re.fullmatch(r"[|&;<>()]+", word) for word in [*words[:-2], *words[-1:]]) or words[-2:-1] == ["<"]:
        return None
    return words


def _in_process(words: list[str]) -> tuple[int, str]:
    from tutti.cli.main import main as tutti

    said, file = io.StringIO(), io.StringIO()
    into = words[-1] if words[-2:-1] == [">"] else None
    with contextlib.redirect_stdout(file if into else said), contextlib.redirect_stderr(said):
        code = tutti(words[:-2] if into else words)
    if into:
        Path(into).write_text(file.getvalue(), encoding="utf-8")
    return code, said.getvalue()


@contextlib.contextmanager
def reader(page: str, folder: Path, write: bool = False) -> Iterator[Run]:
    """A reader of a page in a folder with copies of the example media; servers are ended behind it."""
    for place in ("media", "documents"):
        for copy in (place, f"examples/{place}"):  # of the guides, and of the README
            if not (folder / copy).exists():
                shutil.copytree(ROOT / "examples" / place, folder / copy)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    run = Run(page, folder, port, write)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield run
    finally:
        run.close()
        os.chdir(before)


def main() -> None:
    """Check or write pages."""
    wrong = False
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for name in (word for word in sys.argv[1:] if word != "--write"):
        file = Path(name).resolve()
        page = file.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["TUTTI_CACHE_FOLDER"] = f"{scratch}/.cache"
            with reader(page, Path(scratch).resolve(), "--write" in sys.argv) as run:
                started = time.monotonic()
                try:
                    after = run.all_of_it()
                except Exception as error:  # noqa: BLE001 a snippet may fail in any way; the next page is run
                    print(f"{name}, {type(error).__name__}: {error}", file=sys.stderr)
                    wrong = True
                    continue
        print(f"{name}: {'written' if after != page else 'as it is'}, {time.monotonic() - started:.1f} s")
        if after != page:
            file.write_text(after, encoding="utf-8")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
