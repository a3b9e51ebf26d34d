"""What the language says, in the protocol's own types.

In: diagnostics, completions, hovers, and the `Document` they speak of. Out: lsprotocol values with positions that the
editor understands. Invariant: nothing is decided here; every span goes through `Document.position`, and texts of the
catalog stay texts where an editor takes Markdown.
"""

from __future__ import annotations

import re

from lsprotocol import types as lsp

from muster.lsp.text import Document
from nql.api import Completion, Hover
from nql.diagnostics import Diagnostic, Fix, Severity, Span
from nql.editing.offers import Item, ItemKind

SOURCE = "nql"
_KINDS = {
    ItemKind.TABLE: lsp.CompletionItemKind.Class,
    ItemKind.CLAUSE: lsp.CompletionItemKind.Keyword,
    ItemKind.KEYWORD: lsp.CompletionItemKind.Keyword,
    ItemKind.FIELD: lsp.CompletionItemKind.Field,
    ItemKind.OBJECT: lsp.CompletionItemKind.Module,
    ItemKind.ALIAS: lsp.CompletionItemKind.Variable,
    ItemKind.FUNCTION: lsp.CompletionItemKind.Function,
    ItemKind.OPERATOR: lsp.CompletionItemKind.Operator,
    ItemKind.VALUE: lsp.CompletionItemKind.EnumMember,
}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def ranged(document: Document, span: Span) -> lsp.Range:
    """A span as a range."""
    start, end = document.position(span.start), document.position(span.end)
    return lsp.Range(lsp.Position(*start), lsp.Position(*end))


def finding(document: Document, said: Diagnostic) -> lsp.Diagnostic:
    """A diagnostic; its hint stands below its message."""
    error = said.severity is Severity.ERROR
    return lsp.Diagnostic(
        ranged(document, said.span),
        "\n".join(filter(None, (said.message, said.hint))),
        severity=lsp.DiagnosticSeverity.Error if error else lsp.DiagnosticSeverity.Warning,
        code=said.code,
        source=SOURCE,
    )


def quick_fix(uri: str, document: Document, said: Diagnostic, fix: Fix) -> lsp.CodeAction:
    """A fix that one key applies; the first of a finding is the one to take."""
    edit = lsp.TextEdit(ranged(document, fix.span), fix.replacement)
    return lsp.CodeAction(
        fix.title,
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=[finding(document, said)],
        is_preferred=fix == said.fixes[0],
        edit=lsp.WorkspaceEdit(changes={uri: [edit]}),
    )


def offered(document: Document, found: Completion) -> lsp.CompletionList:
    """The choices in their order. The list is asked for again with each character, since what fits may change."""
    place = ranged(document, found.span)
    typed = document.text[found.span.start : found.span.end]
    items = [_choice(item, number, place, typed) for number, item in enumerate(found.items)]
    return lsp.CompletionList(is_incomplete=True, items=items)


def described(document: Document, found: Hover, *, markdown: bool) -> lsp.Hover:
    """What is at the pointer."""
    if markdown:
        head = f"**{escaped(found.title)}**" + (f" · {escaped(found.detail)}" if found.detail else "")
        text, kind = "\n\n".join(filter(None, (head, escaped(found.doc)))), lsp.MarkupKind.Markdown
    else:
        text = "\n".join(filter(None, (found.title, found.detail, found.doc)))
        kind = lsp.MarkupKind.PlainText
    return lsp.Hover(lsp.MarkupContent(kind, text), ranged(document, found.span))


def whole(document: Document, text: str) -> list[lsp.TextEdit]:
    """The edit that puts a text in place of all there is, with the line ends the document has; none if it is the
    same."""
    text = text.replace("\r\n", "\n").replace("\n", document.line_end)
    if text == document.text:
        return []
    return [lsp.TextEdit(ranged(document, Span(0, len(document.text))), text)]


def escaped(text: str) -> str:
    """A text as Markdown that shows just it."""
    return _MARKUP.sub(r"\\\1", text).replace("\n", "\n\n")


def _choice(item: Item, number: int, place: lsp.Range, typed: str) -> lsp.CompletionItem:
    fits = item.insert.lower().startswith(typed.lower())
    return lsp.CompletionItem(
        item.label,
        kind=_KINDS.get(item.kind, lsp.CompletionItemKind.Text),
        detail=item.detail or None,
        documentation=item.doc or None,
        sort_text=f"{number:04}",
        filter_text=item.insert if fits else item.label,
        text_edit=lsp.TextEdit(place, item.insert),
    )
