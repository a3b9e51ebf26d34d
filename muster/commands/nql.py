"""`muster nql`: check queries in files, lay them out, and say in words what they ask.

In: files, folders or standard input. Out: findings with their places, one a line, or the text laid out, or sentences.
Invariants: every file is looked at whatever is wrong with others; the exit code says the worst that was found; a file
is written only where its text could be read and changes. What is wrong with a text is the language's matter, what is
wrong with a file that of `muster.query_files`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from muster import registry
from muster.errors import FAILED, QUERY, WARNED, MusterError
from muster.language import STRICT, language
from muster.options import Options, Parser, add_json, add_portal_if_named, print_json, verbs
from muster.query_files import STDIN, Found, found, printable, read
from nql.api import format_query
from nql.catalog.load import builtin
from nql.diagnostics import Diagnostic, QueryError, Severity, position
from nql.editing import highlighting
from nql.syntax.parse import parse

DESCRIPTION = """\
Check queries in files, lay them out, say in plain English what they ask.

A file holds one query, in UTF-8. A folder means its files *.nql at any depth, sorted; hidden files and folders are
left out, and links to folders are not followed. Without --url, the actions, campaigns, trends and custom fields that
a query names are taken for granted; with it, the portal says which there are."""
EXAMPLES = """\
examples:
  muster nql check queries/                          every *.nql file below a folder
  muster nql check --strict nexthink saved.nql       and nothing that Nexthink itself does not take
  muster nql check --format json queries/ | jq .     for programs
  muster nql check - < question.nql
  muster nql format --write queries/                 lay every file out, one clause a line
  muster nql format --check queries/                 say which files would change, for a build
  muster nql explain "devices during past 7d | where os.platform == windows"
  muster nql grammar > nql.tmLanguage.json           colours for other editors
  muster nql reference docs/reference                the pages about the language, made anew

`check` prints a line a finding, FILE:LINE:COLUMN: error NQL202: message, and a count at the end.

exit codes: 0 nothing found, 6 warnings only, 3 errors; of `format --check` and `reference --check`: 1 where a file
would change"""


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    check = verb("check", "check queries, print what is wrong with them")
    check.add_argument("paths", nargs="+", metavar="FILE|DIR", help="files and folders; - reads standard input")
    check.add_argument("--format", choices=["text", "json"], default="text", help="form of the findings")
    _add_language(check)
    check.set_defaults(act=_check)
    lay = verb("format", "lay queries out, one clause a line")
    lay.add_argument("paths", nargs="+", metavar="FILE|DIR", help="files and folders; - reads standard input")
    ways = lay.add_mutually_exclusive_group()
    ways.add_argument("--write", action="store_true", help="write the files, in place of printing them")
    ways.add_argument("--check", action="store_true", help="only say which files would change")
    lay.set_defaults(act=_format)
    tell = verb("explain", "say in plain English what a query asks")
    tell.add_argument("text", help="the query; - reads it from standard input")
    tell.add_argument("--plan", action="store_true", help="print the plan too, which says it exactly")
    add_json(tell)
    _add_language(tell)
    tell.set_defaults(act=_explain)
    grammar = verb("grammar", "print the TextMate grammar, with which editors colour queries")
    grammar.add_argument("--console", action="store_true", help="print the patterns of Muster's own console")
    grammar.set_defaults(act=_grammar)
    pages = verb("reference", "write the reference of the language, its examples run, as Markdown")
    pages.add_argument("folder", type=Path, metavar="DIR", help="where the pages go; other pages there are removed")
    pages.add_argument("--check", action="store_true", help="only say which pages would change")
    pages.set_defaults(act=_reference)


def run(options: Options) -> int:
    """Run the verb; the exit code."""
    code: int = options.act(options)
    return code


def _add_language(parser: Parser) -> None:
    parser.add_argument("--strict", choices=[STRICT], help="refuse everything that is not in NQL itself")
    add_portal_if_named(parser)


def _check(options: Options) -> int:
    """Print every finding of every file; the exit code of the worst."""
    known = language(options)
    looked: list[tuple[Found, tuple[Diagnostic, ...]]] = []
    for file in found(options.paths):
        said = (file.problem,) if file.problem is not None else known.diagnose(file.text)
        looked.append((file, said))
        if options.format == "text":
            for finding in said:
                print(_line(file, finding), flush=True)
    found_all = [finding for _, said in looked for finding in said]
    errors = sum(finding.severity is Severity.ERROR for finding in found_all)
    warnings = len(found_all) - errors
    if options.format == "json":
        findings = [_record(file, finding) for file, said in looked for finding in said]
        print_json({"files": len(looked), "errors": errors, "warnings": warnings, "findings": findings})
    else:
        print(", ".join((_count(len(looked), "file"), _count(errors, "error"), _count(warnings, "warning"))))
    return QUERY if errors else WARNED if warnings else 0


def _format(options: Options) -> int:
    """Print, write or compare the layout of every file; the exit code of the worst."""
    worst = files = changed = 0
    for file in found(options.paths):
        files += 1
        problem = file.problem or first_error(file.text)
        if problem is not None:
            print(_line(file, problem), file=sys.stderr)
            worst = QUERY
            continue
        text = ended(format_query(file.text), file.text)
        changed += text != file.text
        if options.write and text != file.text:
            file.write(text)
        elif options.check and text != file.text:
            print(f"{file.name} would change")
        elif not options.write and not options.check:
            sys.stdout.write(text)
    if options.write or options.check:
        print(f"{_count(files, 'file')}, {changed:,} {'written' if options.write else 'would change'}")
    return worst or (FAILED if options.check and changed else 0)


def _explain(options: Options) -> int:
    """Print what a query asks. Raises QueryFailedError."""
    file = read(STDIN) if options.text == STDIN else Found(STDIN, options.text)
    if file.problem is not None:
        raise MusterError(f"{file.problem.message} {file.problem.hint}".rstrip())
    said = language(options).explain(file.text)
    if options.json:
        print_json({"sentences": list(said.sentences), "plan": said.plan})
        return 0
    print("\n".join(map(printable, said.sentences)))
    if options.plan:
        print(f"\n{said.plan}")
    return 0


def _grammar(options: Options) -> int:
    """Print what colours queries."""
    known = highlighting.shipped()
    made = highlighting.console(known) if options.console else highlighting.textmate(known, builtin())
    sys.stdout.write(highlighting.as_json(made))
    return 0


def _reference(options: Options) -> int:
    """Write or compare the pages of the reference."""
    contents = registry.part("reference")
    pages = contents.every()
    compared = contents.differing if options.check else contents.write
    changed = compared(options.folder, pages)
    for name in changed:
        print(f"{options.folder / name} would change" if options.check else options.folder / name)
    print(f"{_count(len(pages), 'page')}, {len(changed):,} {'would change' if options.check else 'written'}")
    return FAILED if options.check and changed else 0


def first_error(text: str) -> Diagnostic | None:
    """What keeps a text from being read at all. A query whose names are wrong can still be laid out."""
    try:
        parse(text)
    except QueryError as error:
        return error.diagnostics[0]
    return None


def ended(text: str, before: str) -> str:
    """A text as a file holds it: a line end at its end, and line ends as they were."""
    text = text.rstrip("\n") + "\n"
    return text.replace("\n", "\r\n") if "\r\n" in before else text


def _line(file: Found, finding: Diagnostic) -> str:
    line, column = position(file.text, finding.span.start)
    said = " ".join(filter(None, (finding.message, finding.hint)))
    return f"{file.name}:{line}:{column}: {finding.severity.value} {finding.code}: {printable(said)}"


def _record(file: Found, finding: Diagnostic) -> dict[str, Any]:
    line, column = position(file.text, finding.span.start)
    end_line, end_column = position(file.text, finding.span.end)
    return {
        "file": file.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "severity": finding.severity.value,
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
        "fixes": [
            {
                "title": fix.title,
                "start": fix.span.start,
                "end": fix.span.end,
                "replacement": fix.replacement,
            }
            for fix in finding.fixes
        ],
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
