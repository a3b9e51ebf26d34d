"""The language server: findings as one types, completion, hover, layout, fixes, and the query in plain English.

In: the protocol's messages on standard input. Out: its answers on standard output, and nothing else there. Invariant:
the loop that reads messages never computes; an answer always speaks of the version it was computed for, so findings of
a text that has changed meanwhile are dropped.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from typing import ParamSpec, TypeVar
from urllib.parse import unquote

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from muster.errors import MusterError, QueryFailedError
from muster.language import Language
from muster.lsp.answers import described, finding, offered, quick_fix, whole
from muster.lsp.text import Document, Units
from nql.diagnostics import Diagnostic
from nql.editing.highlighting import shipped

EXPLAIN = "muster.explain"
PAUSE = 0.1  # seconds without another change before a text is looked at
TRIGGERS = [".", "#", "$", "|", "[", ",", " "]
ACTIONS = [lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.Source]
P = ParamSpec("P")
T = TypeVar("T")


class KeptElsewhere(TextDocument):
    """What pygls holds of a document that `Server` keeps. Its own changes would move the places of a change it is
    given, in texts where it takes more for a line end than the protocol does."""

    def apply_change(self, change: lsp.TextDocumentContentChangeEvent) -> None:
        """Leave it to `Server.changed`."""


class Server(LanguageServer):
    """One editor's server."""

    def __init__(self, language: Language, version: str) -> None:
        super().__init__("muster", version, lsp.TextDocumentSyncKind.Incremental)
        self.language = language
        self.documents: dict[str, Document] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._told = ""

    def opened(self, uri: str, text: str, version: int) -> None:
        """An editor shows a document."""
        self.documents[uri] = Document(text, self._units(), version)
        self.workspace.text_documents[unquote(uri)] = KeptElsewhere(uri, "")
        self._look(uri, 0)

    def changed(self, uri: str, version: int, changes: list[lsp.TextDocumentContentChangeEvent]) -> None:
        """An editor changed a document, as a whole or in parts, one after the other."""
        document = self.documents[uri]
        for change in changes:
            if isinstance(change, lsp.TextDocumentContentChangePartial):
                start, end = (document.offset(at.line, at.character) for at in (change.range.start, change.range.end))
                document = document.changed(start, end, change.text, version)
            else:
                document = Document(change.text, document.units, version)
        self.documents[uri] = replace(document, version=version)
        self._look(uri, PAUSE)

    def closed(self, uri: str) -> None:
        """An editor no longer shows a document: nothing is said of it any more."""
        self.documents.pop(uri, None)
        self._forget(uri)
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    async def findings(self, document: Document) -> tuple[Diagnostic, ...]:
        """Errors and warnings of a document; none, and a word to the person, where a portal does not answer."""
        return await self.ask(self.language.diagnose, document.text) or ()

    async def ask(self, question: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """An answer of the language; None, and a word to the person, where a portal does not answer."""
        try:
            return await asyncio.to_thread(question, *given, **named)
        except MusterError as error:
            self.say(error)
            return None

    @property
    def takes_markdown(self) -> bool:
        """Whether the editor shows Markdown in a hover."""
        hover = self.client_capabilities.text_document and self.client_capabilities.text_document.hover
        return lsp.MarkupKind.Markdown in ((hover and hover.content_format) or ())

    def say(self, error: MusterError) -> None:
        """Tell the person what a portal said, once until it says something else."""
        if str(error) != self._told:
            self._told = str(error)
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, str(error)))

    def _units(self) -> Units:
        """What the editor counts, by what both agreed upon at the start."""
        agreed = self.workspace.position_encoding
        return Units(agreed.value if isinstance(agreed, lsp.PositionEncodingKind) else agreed)

    def _look(self, uri: str, pause: float) -> None:
        self._forget(uri)
        self._looking[uri] = asyncio.create_task(self._publish(uri, self.documents[uri], pause))

    def _forget(self, uri: str) -> None:
        if (task := self._looking.pop(uri, None)) is not None:
            task.cancel()

    async def _publish(self, uri: str, document: Document, pause: float) -> None:
        await asyncio.sleep(pause)
        found = [finding(document, said) for said in await self.findings(document)]
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, document.version))


def serve(language: Language, version: str) -> None:
    """Answer one editor on standard input and output, until it says goodbye or goes away."""
    logging.basicConfig(level=logging.WARNING)  # on standard error, where editors look
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")  # its own, since pygls closes it
    with redirect_stdout(sys.stderr):
        made(language, version).start_io(stdout=out)


def made(language: Language, version: str) -> Server:
    """A server with all it can do."""
    server = Server(language, version)
    _add_documents(server)
    _add_answers(server)
    return server


def _add_documents(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(told: lsp.DidOpenTextDocumentParams) -> None:
        server.opened(told.text_document.uri, told.text_document.text, told.text_document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(told: lsp.DidChangeTextDocumentParams) -> None:
        server.changed(told.text_document.uri, told.text_document.version, list(told.content_changes))

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(told: lsp.DidCloseTextDocumentParams) -> None:
        server.closed(told.text_document.uri)


def _add_answers(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=TRIGGERS))
    async def completion(asked: lsp.CompletionParams) -> lsp.CompletionList | None:
        document = server.documents.get(asked.text_document.uri)
        if document is None:
            return None
        at = document.offset(asked.position.line, asked.position.character)
        if asked.context is not None and asked.context.trigger_character == " " and not opens(document.text[:at]):
            return None
        found = await server.ask(server.language.complete, document.text, at)
        return None if found is None else offered(document, found)

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(asked: lsp.HoverParams) -> lsp.Hover | None:
        document = server.documents.get(asked.text_document.uri)
        if document is None:
            return None
        at = document.offset(asked.position.line, asked.position.character)
        found = await server.ask(server.language.hover, document.text, at)
        return None if found is None else described(document, found, markdown=server.takes_markdown)

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    async def formatting(asked: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        document = server.documents.get(asked.text_document.uri)
        if document is None:
            return None
        text = await server.ask(server.language.format, document.text)
        return None if text is None else whole(document, text)

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=ACTIONS))
    async def code_action(asked: lsp.CodeActionParams) -> list[lsp.CodeAction] | None:
        uri = asked.text_document.uri
        document = server.documents.get(uri)
        if document is None:
            return None
        start, end = (document.offset(at.line, at.character) for at in (asked.range.start, asked.range.end))
        found = await server.findings(document)
        near = [said for said in found if said.span.start <= end and start <= said.span.end]
        actions = [quick_fix(uri, document, said, fix) for said in near for fix in said.fixes]
        explain = lsp.Command("Explain this query", EXPLAIN, arguments=[uri])
        actions.append(lsp.CodeAction(explain.title, kind=lsp.CodeActionKind.Source, command=explain))
        only = asked.context.only
        return [action for action in actions if only is None or any(within(action.kind, kind) for kind in only)]

    @server.command(EXPLAIN)
    async def explain(uri: str) -> None:
        if (document := server.documents.get(uri)) is None:
            return
        try:
            said = await asyncio.to_thread(server.language.explain, document.text)
        except QueryFailedError as error:
            why = f"A query with errors cannot be explained: {error.diagnostics[0].message}"
            server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, why))
        except MusterError as error:
            server.say(error)
        else:
            server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, "\n".join(said.sentences)))


@cache
def _openers() -> re.Pattern[str]:
    return re.compile(rf"(?:[|,=<>\[]|\b(?:{'|'.join(shipped().openers)}))\s*$", re.IGNORECASE)


def opens(before: str) -> bool:
    """Whether something must follow the text before a space: only there a space opens the choices."""
    return _openers().search(before[-100:]) is not None


def within(kind: lsp.CodeActionKind | str | None, wanted: lsp.CodeActionKind | str) -> bool:
    """Whether a kind of action is another one, or below it (`source.fix` is below `source`)."""
    one, other = (item.value if isinstance(item, lsp.CodeActionKind) else item or "" for item in (kind, wanted))
    return f"{one}.".startswith(f"{other}.") or not other
