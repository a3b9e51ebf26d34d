"""Inputs and outputs are found in scripts as the vendor's product writes them and in our own form.

Comes in: texts of scripts. Goes out: nothing. Invariant held here: any text gives an answer; a problem has its line.
"""

from __future__ import annotations

import random
from typing import Literal

import pytest

from storage.control.manifest import Script
from storage.control.scripts.api import find
from storage.control.scripts.found import TYPES, Found, FoundInput, Problem

Language = Literal["bash", "zsh", "python", "powershell"]


def bash(text: str) -> Found:
    return find(Script("bash", text))


def names(found: Found) -> dict[str, str]:
    return {item.name: item.type for item in found.outputs}


VENDOR_BASH = r"""#!/bin/bash
. "${NEXTHINK}/bash/nxt_ra_script_output.sh"

# NXT_PARAMETERS_BEGIN
# Days to look back
days=$1
if [ $# -eq 0 ]; then echo "needs days"; exit 1; fi
readonly campaign_id="${2}"   # Which campaign
declare -r mode="${3:-preview}"
# NXT_PARAMETERS_END

nxt_write_output_never() { echo "$1"; }
report() {
  [[ -n $1 ]] && nxt_write_output_string "Result" "$1" || nxt_write_output_uint32 Count 3
}
cat <<EOF
nxt_write_output_string "InText" "not a call"
EOF
# nxt_write_output_string Comment x
echo "nxt_write_output_string Quoted x"; x=$((1 << 4))
if true; then nxt_write_output_bool 'Done' true; fi
echo $(nxt_write_output_float Inside 1.0) `date`
LC_ALL=C nxt_write_output_date_time Last "$(date +%s)"
nxt_write_output_string_list List "${items[@]}"
"""


def test_a_shell_script_of_the_vendor() -> None:
    found = bash(VENDOR_BASH)
    assert found.problems == ()
    assert found.inputs == (
        FoundInput("days", 6, description="Days to look back", required=True, position=1),
        FoundInput("campaign_id", 8, description="Which campaign", required=True, position=2),
        FoundInput("mode", 9, default="preview", position=3),
    )
    assert names(found) == {
        "Result": "string", "Count": "uint32", "Done": "bool", "Inside": "float", "Last": "date_time",
        "List": "string_list",
    }  # fmt: skip
    assert [item.line for item in found.outputs] == [14, 14, 21, 22, 23, 24]


def test_all_types_in_both_forms() -> None:
    for form in ("nxt_write_output_{0} o_{0} 1", "muster_output {0} o_{0} 1"):
        assert names(bash("\n".join(form.format(name) for name in TYPES))) == {f"o_{name}": name for name in TYPES}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('\nnxt_write_output_string "$name" x', 2, "name of an output is not a literal"),
        ("for n in a b; do\n  nxt_write_output_bool out_$n true\ndone", 2, "not a literal"),
        ('muster_output "$kind" name x', 1, "type of an output is not a literal"),
        ("muster_output strin name x", 1, "no type of outputs 'strin'"),
        ("nxt_write_output_ip name x", 1, "no type of outputs 'ip'"),
        ("muster_output string", 1, "without a name"),
        ("muster_output", 1, "no type of outputs ''"),
        ("muster_output string a x\nmuster_output uint32 a 1", 2, "a uint32 here and a string in line 1"),
        ("muster_output string a x\nmuster_output string A x", 2, "is written a in line 1"),
        ("muster_output string 'a b' x", 1, "'a b' has no good name"),
        ("# NXT_PARAMETERS_BEGIN\na=$1", 1, "has no NXT_PARAMETERS_END"),
        ("# NXT_PARAMETERS_BEGIN\na=$1\nb=$3\n# NXT_PARAMETERS_END", 3, "$2 is not"),
        ("# NXT_PARAMETERS_BEGIN\na=$1\nb=$1\n# NXT_PARAMETERS_END", 3, "a second time"),
        ("# NXT_PARAMETERS_BEGIN\na='$1'\n# NXT_PARAMETERS_END", 2, "is a text and no input"),
        ("# NXT_PARAMETERS_BEGIN\na-b=$1\n# NXT_PARAMETERS_END", 2, "'a-b' has no good name"),
        ("echo\r\n", 1, "CR and LF"),
        ("\ufeffecho\n", 1, "byte order mark"),
        ("echo\n\0", 2, "NUL"),
        ("# muster:output a", 1, "write `# muster:output NAME TYPE`"),
        ("# muster:input", 1, "write `# muster:input NAME`"),
        ('\n# muster:input a "b', 2, "quotation mark"),
        ("# muster:inputs a", 1, "there is no muster:inputs"),
        ("# muster:input a b c d", 1, "one of each"),
        ("# muster:input a\n# muster:input A", 2, "a second time"),
    ],
)
def test_problems_have_lines(text: str, line: int, said: str) -> None:
    [problem] = bash(text).problems
    assert problem.line == line
    assert said in problem.message


def test_ten_and_more_inputs() -> None:
    lines = [f"p{n}=${n}" if n < 10 else f"p{n}=${{{n}}}" for n in range(1, 12)]
    found = bash("\n".join(["# NXT_PARAMETERS_BEGIN", *reversed(lines), "# NXT_PARAMETERS_END"]))
    assert ([item.name for item in found.inputs], found.problems) == ([f"p{n}" for n in range(1, 12)], ())
    text = "\n".join(["# NXT_PARAMETERS_BEGIN", *lines[:9], "p10=$10", "# NXT_PARAMETERS_END"])
    assert [problem.message for problem in bash(text).problems] == ["Bash reads $10 as $1 and digits; write ${10}"]
    assert find(Script("zsh", text)).problems == ()


def test_definitions_and_odd_places_are_no_calls() -> None:
    text = r"""
function muster_output { nxt_write_output_string inside x; }
nxt_write_output_string () { :; }
echo muster_output string word x # muster_output string comment x
case $1 in muster_output) muster_output string taken x;; esac
cat <<'A' <<-B
muster_output string first x
A
	muster_output string second x
	B
cat <<< muster_output; arr=(muster_output2 string x)
echo ${x:-muster_output} "${y#*muster_output}" \
  muster_output string continued x
(( x << 2 )) && muster_output string shifted x
muster_output string_list listed ${items[@]+"${items[@]}"} "${x:-it's}" ${y:-'}'}
echo "$(muster_output string "deep" x)" && ! muster_output string negated x
"""
    assert set(names(bash(text))) == {"inside", "taken", "shifted", "listed", "deep", "negated"}


PLAIN = """
# muster:input path "Path" "The folder to look below" allowed=/var "allowed=/my home" custom default=/var
# muster:input mode
# muster:output free_space size "Free space" "Of the drive"
# muster:output never bool
muster_output size free_space 1
"""


@pytest.mark.parametrize("language", ["bash", "zsh", "python", "powershell"])
def test_our_own_form_in_every_language(language: Language) -> None:
    call = {"python": "import muster_output\nmuster_output.write_size('free_space', 1)"}
    call["powershell"] = "[Nxt]::WriteOutputSize('free_space', 1)"
    text = PLAIN.replace("muster_output size free_space 1", call.get(language, "muster_output size free_space 1"))
    found = find(Script(language, text))
    assert found.problems == ()
    assert found.inputs == (
        FoundInput("path", 2, "Path", "The folder to look below", ("/var", "/my home"), True, "/var"),
        FoundInput("mode", 3, required=True),
    )
    assert [(item.name, item.type, item.label, item.written) for item in found.outputs] == [
        ("free_space", "size", "Free space", True),
        ("never", "bool", "", False),
    ]


POWERSHELL = """\ufeff<#
.SYNOPSIS
Does something. param($NotThis)
.PARAMETER MaximumDelay
Seconds to wait
before it begins.
.NOTES
x
#>
#requires -Version 5
using namespace System.IO
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)][string]$MaximumDelay,
    # What to do
    [ValidateSet('Preview', 'It''s "all"')] [string] $Mode = 'Preview',
    [Parameter(Mandatory=$false)][bool]$Force = $true, # trailing, of the next
    [int]$Number = 42,
    [string[]]$List = @('a', 'b'),
    [string]$Computed = (Get-Date).ToString("yyyy, MM"),
    ${Braced}
)
Add-Type -Path "$env:NEXTHINK\\RemoteActions\\nxtremoteactions.dll"
# [Nxt]::WriteOutputString('Comment', 'x')
$text = "[Nxt]::WriteOutputString('Text', 1)"
$here = @"
[Nxt]::WriteOutputString('Here', 1)
"@
function Inner { param([string]$Hidden) [nxt]::WriteOutputBool("Inside", $true) }
[Nxt]::WriteOutputString('One', $(if ($x) { "a" } else { 'b' }))
[NXT]::writeoutputstringlist( "Many" , $list)
[Nxt]::WriteOutputDateTime("When", (Get-Date)); [Nxt]::WriteOutputBitRate('Rate', 1.0)
""".replace("\n", "\r\n")


def test_a_powershell_script() -> None:
    found = find(Script("powershell", POWERSHELL))
    assert found.problems == ()
    assert found.inputs == (
        FoundInput("MaximumDelay", 14, description="Seconds to wait before it begins.", required=True),
        FoundInput("Mode", 16, description="What to do", allowed=("Preview", 'It\'s "all"'), default="Preview"),
        FoundInput("Force", 17, default="true"),
        FoundInput("Number", 18, description="trailing, of the next", default="42"),
        FoundInput("List", 19),
        FoundInput("Computed", 20),
        FoundInput("Braced", 21),
    )
    assert names(found) == {
        "Inside": "bool", "One": "string", "Many": "string_list", "When": "date_time", "Rate": "bitrate",
    }  # fmt: skip
    assert found.outputs[0].line == 29


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\n[Nxt]::WriteOutputString($name, 1)", 2, "not a literal"),
        ('[Nxt]::WriteOutputString("a$b", 1)', 1, "not a literal"),
        ("[Nxt]::WriteOutputString('a' + 'b', 1)", 1, "not a literal"),
        ("[Nxt]::WriteOutputIp('a', 1)", 1, "no WriteOutputIp"),
        ("param([string]$a", 1, "not closed"),
        ("param(\n[ValidateSet('a', \"$x\")]$a)", 2, "ValidateSet is not a literal"),
        ("param([string])", 1, "without a name"),
        ("param($a,\n$A)", 2, "a second time"),
    ],
)
def test_problems_in_powershell(text: str, line: int, said: str) -> None:
    [problem] = find(Script("powershell", text)).problems
    assert problem.line == line
    assert said in problem.message


TABLES = """<#
.SYNOPSIS
Something.
.INPUTS
ID  Label      Description
1   Target     Where to  look
2   Other      More
.OUTPUTS
ID  Label   Type          Description
1   Found   String List   What was found
2   Count   UInt32        How many
#>
param([string]$Target, [string]$Unknown)
[Nxt]::WriteOutputStringList('Found', $x)
[Nxt]::WriteOutputUInt32('Count', 3)
"""


def test_tables_of_the_help_describe() -> None:
    found = find(Script("powershell", TABLES))
    assert [(item.name, item.description) for item in found.inputs] == [("Target", "Where to  look"), ("Unknown", "")]
    assert [(item.name, item.description) for item in found.outputs] == [
        ("Found", "What was found"),
        ("Count", "How many"),
    ]


def test_a_script_without_a_block_of_its_own_has_no_inputs() -> None:
    found = find(Script("powershell", "function F { param($a) }\nparam($b)"))
    assert (found.inputs, found.problems) == ((), ())


PYTHON = """
import os
import muster_output
import muster_output as out
from muster_output import write_bool, write_uint32 as number, write

out.write_string("s", os.environ["MUSTER_INPUT_PATH"])
muster_output.write_size(name="z", value=1)
write_bool("b", True)
number("u", 3)
write("duration", "t", 1)
out.write_string_list("l", [])
other.write_string("no", 1)
print("out.write_string('no', 1)")  # write_bool("no", 1)
"""


def test_a_python_script() -> None:
    found = find(Script("python", PYTHON))
    assert found.problems == ()
    assert names(found) == {
        "s": "string", "z": "size", "b": "bool", "u": "uint32", "t": "duration", "l": "string_list",
    }  # fmt: skip
    assert found.reads == frozenset({"path"})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import muster_output as o\n\no.write_bool(x, 1)", Problem(3, "name")),
        ("import muster_output as o\no.write(x, 'a', 1)", Problem(2, "type")),
        ("from muster_output import write_bool\nwrite_bool(f'{x}', 1)", Problem(2, "name")),
        ("\nif:", Problem(2, "it cannot be read as Python: invalid syntax")),
        ("(" * 5000, Problem(1, "it cannot be read as Python")),
    ],
)
def test_problems_in_python(text: str, problem: Problem) -> None:
    [found] = find(Script("python", text)).problems
    assert found.line == problem.line
    assert problem.message in found.message


def test_too_many_of_either() -> None:
    said = bash("\n".join(f"muster_output bool b{n} true" for n in range(51))).problems
    assert [problem.message for problem in said] == ["the script has 51 outputs; 50 are the most"]
    said = find(Script("powershell", f"param({','.join(f'$p{n}' for n in range(51))})")).problems
    assert [problem.message for problem in said] == ["the script has 51 inputs; 50 are the most"]


PIECES = [
    "muster_output", "string", "nxt_write_output_bool", " ", "\n", "'", '"', "$(", ")", "`", "${", "}", "<<A", "A\n",
    "\\", "#", "((", "))", ";", "&&", "param(", "[Nxt]::WriteOutputBool(", "@'\n", "\n'@", "<#", "#>", "[ValidateSet(",
    "# muster:input ", "# NXT_PARAMETERS_BEGIN\n", "a=$1\n", "é", "\0", "\r\n", "x = ", "def f(", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("language", ["bash", "zsh", "python", "powershell"])
def test_any_text_gives_an_answer(language: Language) -> None:
    dice = random.Random(7)
    for _ in range(300):
        text = "".join(dice.choices(PIECES, k=dice.randint(0, 60)))
        found = find(Script(language, text))
        lines = text.count("\n") + 1
        assert all(1 <= problem.line <= lines and problem.message for problem in found.problems)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", PIECES)
def test_hostile_texts_come_to_an_end(piece: str) -> None:
    text = (piece * 40_000)[:40_000]
    languages: tuple[Language, ...] = ("bash", "python", "powershell")
    for language in languages:
        assert len(find(Script(language, text)).outputs) <= 1
