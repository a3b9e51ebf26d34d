"""What a simulated device answers to an action: the `simulate` block of the action's manifest, as a function of the
device.

In: the block (its forms stand below), the device's facts, the inputs. Out: a `Reply`. Invariants: a block is data and
nothing of it is ever run; choices and ranges are the same each time on one device, chances and failures differ by
execution; what is not of its form is said, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent import outputs, wire
from agent.backoff import spread
from agent.campaigns.questions import STATUSES, Campaign, problem

# BLOCK      {"duration": VALUE (seconds, 0.3), "exit_code": VALUE (0), "error": VALUE, "outputs": {NAME: VALUE},
#             "frees": VALUE (bytes of the system drive), "fail_rate": 0..1, "platforms": ["windows", ..],
#             "campaign": {"#ID": {"status": VALUE ("fully"), "answers": {LABEL: VALUE}, "after": VALUE (seconds, 2)}},
#             "when": [{"if": CONDITION, any of the keys above}, ..]}      the first that holds takes their place
#                                                                  (but that of a campaign, which is asked before)
# VALUE      a constant | a list of constants | {"field": FIELD} | {"input": NAME} | {"choice": [VALUE, ..]}
#             | {"answer": LABEL} (empty if it was not answered) | {"status": "#ID"}
#             | {"range": [low, high]} | {"text": "{FIELD} of {input.NAME}"} | {"sum": [VALUE, ..]} | {"product": [..]}
# CONDITION  {"field", "input", "answer" or "status": its name, "is", "is_not", "less", "more" or "contains": constant}
#             | {"all": [CONDITION, ..]} | {"any": [CONDITION, ..]} | {"chance": 0..1}
# An output's VALUE is what a script would write: a ratio as a share of 1, a time in seconds, a duration in ms.
FIELDS = (
    "name", "platform", "manufacturer", "model", "type", "system", "user", "address", "number", "memory", "free_memory",
    "disk_size", "free_disk", "used_disk_ratio", "uptime", "booted_at", "processes", "load", "now",
)  # fmt: skip
DEPTH = 8
LONGEST_TEXT = 4096
_SLOT = re.compile(r"\{([a-z_.A-Z0-9]+)\}")


class SimulationError(Exception):
    """The block cannot be followed; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the simulated script does. `duration` in seconds, `frees` in bytes."""

    duration: float
    exit_code: int
    error: str
    outputs: dict[str, wire.Value]
    problems: list[str]
    frees: int
    asks: tuple[float, ...] = ()  # how long its person thinks about each campaign, in seconds


class Simulation:
    """One execution on one device. `fields` are its facts, `device` and `execution` seed its chances."""

    def __init__(self, fields: Mapping[str, Any], inputs: Mapping[str, str], device: str, execution: str) -> None:
        self._fields, self._inputs = fields, inputs
        self._device, self._execution = device, execution
        self._answers: dict[str, Any] = {}
        self._statuses: dict[str, Any] = {}

    def reply(
        self, block: Mapping[str, Any], declared: tuple[wire.Output, ...], campaigns: tuple[Campaign, ...] = ()
    ) -> Reply:
        """The reply to an action with these outputs and campaigns. Raises SimulationError."""
        chosen = dict(block)
        asks = self._asked(_object(chosen.get("campaign", {}), "campaign"), {one.nql_id: one for one in campaigns})
        for number, case in enumerate(_list(block.get("when", []), "when")):
            if self.holds(_object(case, "when").get("if"), f"when {number}"):
                chosen |= {**case, "outputs": {**chosen.get("outputs", {}), **case.get("outputs", {})}}
                break
        failed = spread(self._execution, "fail_rate") < _number(chosen.get("fail_rate", 0), "fail_rate")
        code = int(_number(self.value(chosen.get("exit_code", 0), "exit_code"), "exit_code"))
        error = str(self.value(chosen.get("error", "the simulated script failed" if failed else ""), "error"))
        duration = _number(self.value(chosen.get("duration", 0.3), "duration"), "duration")
        frees = int(_number(self.value(chosen.get("frees", 0), "frees"), "frees"))
        values, problems = self._outputs(_object(chosen.get("outputs", {}), "outputs"), declared)
        code = code or int(failed)
        last = (error if code else "", values, problems, 0 if code else max(0, frees), asks)
        return Reply(max(0.0, duration), code, *last)

    def _asked(self, given: Mapping[str, Any], campaigns: Mapping[str, Campaign]) -> tuple[float, ...]:
        """What its person answers, and after how long."""
        times = []
        for name, item in given.items():
            if name not in campaigns:
                raise SimulationError(f"campaign {name[:64]!r} is none of the action")
            place, said = f"campaign {name}", _object(item, f"campaign {name}")
            status = self.value(said.get("status", "fully"), f"{place} status")
            if status not in STATUSES:
                raise SimulationError(f"{place} ends in {str(status)[:32]!r}, not in one of {', '.join(STATUSES)}")
            found = {
                label: self.value(answer, f"{place} {label}")
                for label, answer in _object(said.get("answers", {}), place).items()
            }
            given_ = {label: _texts(answer) for label, answer in found.items()}
            if status == "fully" and (wrong := problem(campaigns[name], given_)):
                raise SimulationError(f"{place}: {wrong}")
            self._statuses[name] = status
            self._answers |= {one.label: "" for one in campaigns[name].questions}
            self._answers |= found if status == "fully" else {}
            times.append(max(0.0, _number(self.value(said.get("after", 2), f"{place} after"), place)))
        return tuple(times)

    def value(self, given: Any, place: str, depth: int = 0) -> Any:
        """What a VALUE stands for."""
        if depth > DEPTH:
            raise SimulationError(f"{place} is nested too deep")
        if not isinstance(given, dict):
            return given
        if len(given) != 1:
            raise SimulationError(
                f"{place} has to be one of field, input, answer, status, choice, range, text, sum, product"
            )
        kind, of = next(iter(given.items()))
        match kind:
            case "field" | "input" | "answer" | "status":
                return self._fact(kind, of, place)
            case "choice" if isinstance(of, list) and of:
                return self.value(of[int(spread(self._device, place) * len(of))], place, depth + 1)
            case "range" if isinstance(of, list) and len(of) == 2:
                return self._between(_number(of[0], place), _number(of[1], place), place)
            case "text" if isinstance(of, str):
                return _SLOT.sub(lambda found: str(self._named(found[1], place)), of)[:LONGEST_TEXT]
            case "sum" | "product" if isinstance(of, list):
                result: float = 0 if kind == "sum" else 1
                for item in of:
                    number = _number(self.value(item, place, depth + 1), place)
                    result = result + number if kind == "sum" else result * number
                return result
        raise SimulationError(f"{place} says {kind[:32]!r}, which is not of the form it takes")

    def holds(self, given: Any, place: str, depth: int = 0) -> bool:
        """Whether a CONDITION holds."""
        condition = _object(given, place)
        if depth > DEPTH:
            raise SimulationError(f"{place} is nested too deep")
        if "all" in condition:
            return all(self.holds(item, place, depth + 1) for item in _list(condition["all"], place))
        if "any" in condition:
            return any(self.holds(item, place, depth + 1) for item in _list(condition["any"], place))
        if "chance" in condition:
            return bool(spread(self._execution, place) < _number(condition["chance"], place))
        kind = next((one for one in ("field", "answer", "status") if one in condition), "input")
        known = self._fact(kind, condition.get(kind), place)
        tests = [name for name in condition if name != kind]
        if len(tests) != 1:
            raise SimulationError(f"{place} needs one test: is, is_not, less, more or contains")
        return _test(known, tests[0], condition[tests[0]], place)

    def _outputs(
        self, given: Mapping[str, Any], declared: tuple[wire.Output, ...]
    ) -> tuple[dict[str, wire.Value], list[str]]:
        types = {item.name: item.type for item in declared}
        values: dict[str, wire.Value] = {}
        problems = []
        for name, item in given.items():
            if name not in types:
                problems.append(f"output {name[:64]!r} is not declared")
                continue
            found = self.value(item, f"output {name}")
            try:
                values[name] = outputs.typed(types[name], _texts(found))
            except (ValueError, KeyError) as error:
                problems.append(f"output {name} {error}")
        return values, problems

    def _between(self, low: float, high: float, place: str) -> float:
        share = spread(self._device, place)
        if isinstance(low, int) and isinstance(high, int):
            return low + int(share * (high - low + 1))
        return low + share * (high - low)

    def _named(self, name: str, place: str) -> Any:
        kind, _, rest = name.partition(".")
        return self._fact("input", rest, place) if kind == "input" and rest else self._fact("field", name, place)

    def _fact(self, kind: str, name: Any, place: str) -> Any:
        known = {"field": self._fields, "input": self._inputs, "answer": self._answers, "status": self._statuses}
        facts = known[kind]
        if not isinstance(name, str) or name not in facts:
            raise SimulationError(f"{place} names the {kind} {str(name)[:64]!r}, which there is not")
        return facts[name]


def _test(known: Any, name: str, wanted: Any, place: str) -> bool:
    match name:
        case "is":
            return bool(known == wanted)
        case "is_not":
            return bool(known != wanted)
        case "less":
            return bool(_number(known, place) < _number(wanted, place))
        case "more":
            return bool(_number(known, place) > _number(wanted, place))
        case "contains":
            return str(wanted).lower() in str(known).lower()
    raise SimulationError(f"{place} has no test {name[:32]!r}")


def _texts(value: Any) -> list[str]:
    return [_text(one) for one in value] if isinstance(value, list) else [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _number(value: Any, place: str) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SimulationError(f"{place} is no number")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > 100:
        raise SimulationError(f"{place} is no list of at most 100")
    return value


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SimulationError(f"{place} is no object")
    return value
