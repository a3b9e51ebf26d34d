"""An editor as the language server meets it: a process at the other end of two pipes that speaks JSON-RPC.

In: what a person does in an editor. Out: what the server says, in the protocol's JSON. Invariant: every wait has a
deadline, after which the test fails with what the server wrote on standard error.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any

from tests.architecture.project import ROOT
from tests.muster.settings import environment

SECONDS = 60.0
URI = "file:///queries/question.nql"
Json = dict[str, Any]
# What Visual Studio Code says of itself, in what matters here.
CODE: Json = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {
        "synchronization": {"didSave": True},
        "publishDiagnostics": {"relatedInformation": True, "versionSupport": True},
        "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown", "plaintext"]}},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", "source"]}}},
    },
}


class Editor:
    """One editor with its server, while the context lasts; it must then end with 0."""

    def __init__(self, *options: str, capabilities: Json = CODE, **variables: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "muster", "lsp", "--stdio", *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
        )
        self._capabilities = capabilities
        self._heard: queue.Queue[Json | None] = queue.Queue()
        self._notes: list[Json] = []
        self._number = 0
        self._version = 0
        self.noise = bytearray()
        self._threads = [threading.Thread(target=work) for work in (self._listen, self._gather)]
        self.server: Json = {}

    def __enter__(self) -> Editor:
        for thread in self._threads:
            thread.start()
        asked = {"processId": None, "rootUri": None, "capabilities": self._capabilities}
        self.server = self.ask("initialize", asked)["capabilities"]
        self.tell("initialized", {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                assert self.ask("shutdown", None) is None
                self.tell("exit", None)
                assert self._process.wait(SECONDS) == 0, self.noise.decode()
        finally:
            self._process.kill()
            for thread in self._threads:
                thread.join(SECONDS)
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                assert pipe is not None
                pipe.close()

    def ask(self, method: str, given: Any) -> Any:
        """Send a request; its result. An error fails the test."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": given})
        answer = self._wait(lambda said: said.get("id") == number and "method" not in said)
        assert "error" not in answer, answer
        return answer["result"]

    def tell(self, method: str, given: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": given})

    def told(self, method: str) -> Any:
        """What the next notification of a kind says."""
        return self._wait(lambda said: said.get("method") == method)["params"]

    def heard(self, method: str) -> bool:
        """Whether a notification of a kind came and nobody asked for it yet."""
        return any(said.get("method") == method for said in self._notes)

    def open(self, text: str) -> list[Json]:
        """Show a document; what is found in it."""
        self._version = 1
        item = {"uri": URI, "languageId": "nql", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        return self.findings()

    def change(self, *changes: Json) -> list[Json]:
        """Change the document; what is found in it then."""
        self._version += 1
        document = {"uri": URI, "version": self._version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})
        return self.findings()

    def findings(self) -> list[Json]:
        """What is found in the newest version."""
        while True:
            told = self.told("textDocument/publishDiagnostics")
            if told.get("version") == self._version:
                found: list[Json] = told["diagnostics"]
                return found

    def at(self, method: str, line: int, character: int, **more: Any) -> Any:
        """Ask about a place in the document."""
        place = {"textDocument": {"uri": URI}, "position": {"line": line, "character": character}}
        return self.ask(f"textDocument/{method}", {**place, **more})

    def actions(self, line: int, character: int, **context: Any) -> list[Json]:
        """What can be done at a place."""
        place = {"line": line, "character": character}
        asked = {
            "textDocument": {"uri": URI},
            "range": {"start": place, "end": place},
            "context": {"diagnostics": [], **context},
        }
        found: list[Json] = self.ask("textDocument/codeAction", asked)
        return found

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _wait(self, wanted: Any) -> Json:
        for number, said in enumerate(self._notes):
            if wanted(said):
                return self._notes.pop(number)
        while True:
            try:
                heard = self._heard.get(timeout=SECONDS)
            except queue.Empty:
                raise AssertionError(f"no answer in time: {self.noise.decode()}") from None
            assert heard is not None, f"the server ended: {self.noise.decode()}"
            said = heard
            if wanted(said):
                return said
            self._notes.append(said)

    def _listen(self) -> None:
        out = self._process.stdout
        assert out is not None
        while header := out.readline():
            name, _, size = header.partition(b":")
            assert name == b"Content-Length", header  # nothing else may be printed here
            while out.readline().strip():
                pass
            self._heard.put(json.loads(out.read(int(size))))
        self._heard.put(None)

    def _gather(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.noise += line


def whole(text: str) -> Json:
    """A change of the whole text."""
    return {"text": text}


def part(start: tuple[int, int], end: tuple[int, int], text: str) -> Json:
    """A change of a part: from a line and unit to another."""
    places = [{"line": line, "character": character} for line, character in (start, end)]
    return {"range": {"start": places[0], "end": places[1]}, "text": text}


def span(found: Json) -> tuple[int, int, int, int]:
    """The range of something as four numbers."""
    start, end = found["range"]["start"], found["range"]["end"]
    return start["line"], start["character"], end["line"], end["character"]


def applied(text: str, edits: list[Json]) -> str:
    """A text of one-unit characters with edits of it carried out."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    for edit in sorted(edits, key=span, reverse=True):
        first, begin, last, end = span(edit)
        text = text[: starts[first] + begin] + edit["newText"] + text[starts[last] + end :]
    return text
