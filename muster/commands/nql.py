"""`muster nql`: check queries in files, lay them out, and say in words what they ask.

In: files, folders or standard input. Out: findings with their places, one a line, or the text laid out, or sentences.
Invariant: every file is looked at whatever is wrong with others; the exit code says the worst that was found. What is
wrong with a text is the language's matter, what is wrong with a file that of `muster.query_files`.
"""

from __future__ import annotations

from typing import Any

from muster.errors import QUERY, WARNED
from muster.language import STRICT, language
from muster.options import Options, Parser, add_portal_if_named, print_json, verbs
from muster.query_files import Found, found, printable
from nql.diagnostics import Diagnostic, Severity, position

DESCRIPTION = """\
Check queries in files.

A file holds one query, in UTF-8. A folder means its files *.nql at any depth, sorted; hidden files and folders are
left out, and links to folders are not followed. Without --url, the actions, campaigns, trends and custom fields that
a query names are taken for granted; with it, the portal says which there are."""
EXAMPLES = """\
examples:
  muster nql check queries/                          every *.nql file below a folder
  muster nql check --strict nexthink saved.nql       and nothing that Nexthink itself does not take
  muster nql check --format json queries/ | jq .     for programs
  muster nql check - < question.nql

`check` prints a line a finding, FILE:LINE:COLUMN: error NQL202: message, and a count at the end.

exit codes of check: 0 nothing found, 6 warnings only, 3 errors"""


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    check = verb("check", "check queries, print what is wrong with them")
    check.add_argument("paths", nargs="+", metavar="FILE|DIR", help="files and folders; - reads standard input")
    check.add_argument("--format", choices=["text", "json"], default="text", help="form of the findings")
    _add_language(check)


def run(options: Options) -> int:
    """Run the verb; the exit code."""
    return check(options)


def _add_language(parser: Parser) -> None:
    parser.add_argument("--strict", choices=[STRICT], help="refuse everything that is not in NQL itself")
    add_portal_if_named(parser)


def check(options: Options) -> int:
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
