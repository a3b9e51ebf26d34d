"""Groups by texts are sorted by numbers in place of texts, which come when rows were left out; the answers stay."""

from __future__ import annotations

import polars as pl
import pytest

from engine.execute import run
from engine.lazyframe.named import named
from engine.lazyframe.relations import translate
from engine.source import CODE, Around, Source
from nql.api import Compiler, Context, resolve
from nql.datatypes import STRING
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Link, ScanColumn
from tests.logic.cut_source import CutSource, Texts
from tests.logic.fixture import load

FLEET = load("fleet")
DEVICES = Link("@device", "device.devices")
NAME = ScanColumn("device.name", STRING, "name", DEVICES)
WEEK = "execution.events during past 168h"


class Objects(Around):
    """Devices with these names, of which only those from the first on are shown."""

    def __init__(self, names: list[str | None], first: int = 0) -> None:
        super().__init__(FLEET.source())
        self.names, self.first = pl.Series("name", names, dtype=pl.String), first

    def texts(self, table: str, column: str) -> Texts:
        found = self.names.drop_nulls().unique().sort()
        folded = found.str.to_lowercase()
        return Texts(found, folded, folded.n_unique() == len(found))

    def scan(self, table: str, columns: object, **window: object) -> pl.LazyFrame:
        places = self.names.cast(pl.Enum(self.texts(table, "name").texts)).to_physical().cast(pl.Int64)
        ids = pl.int_range(len(self.names), eager=True)
        return pl.LazyFrame({"@id": ids, f"name{CODE}": places}).slice(self.first)


def plan(text: str) -> ResolvedPlan:
    context = Context(FLEET.now, FLEET.instance_zone, FLEET.user_zone, {})
    return resolve(Compiler().compile(text, FLEET.catalog).plan, context)


def test_numbers_are_by_id_and_tell_whether_all_names_differ() -> None:
    found = named(Objects(["b", None, "a", "b"]), DEVICES, [NAME])
    assert found is not None
    assert found.codes.to_dict(as_series=False) == {f"device.name{CODE}": [1, None, 0, 1]}
    assert not found.same
    rows = pl.DataFrame({"@device": [2, 0, None, 9, 1]}, schema={"@device": pl.Int64})
    assert rows.select(found.known()).to_series().to_list() == [2, 0, None, None, 1]
    assert rows.select(found.picked()).to_series().to_list() == [0, 1, None, None, None]
    other = named(Objects(["b", "a"]), DEVICES, [NAME])
    assert other is not None
    assert other.same


@pytest.mark.parametrize("source", [Objects(["a", "A"]), Objects(["a", "b"], 1), Objects([]), FLEET.source()])
def test_there_are_none_where_texts_compare_equal_or_ids_are_no_places(source: Source) -> None:
    assert named(source, DEVICES, [NAME]) is None


@pytest.mark.parametrize(
    "text",
    [
        f"{WEEK} | summarize m = cpu_time.sum() by device.name",
        f"{WEEK} | summarize m = cpu_time.sum() by device.name | sort device.name desc | limit 2",
        f"{WEEK} | summarize m = cpu_time.sum() by device.name, binary.name | sort m desc | limit 3",
        f"{WEEK} | summarize m = device.count() by binary.name, device.entity | sort binary.name",
        f"{WEEK} | summarize p = cpu_time.p95() by device.operating_system.platform | sort p desc",
        f'{WEEK} | summarize m = cpu_time.sum() by device.name | where device.name != "alpha" | limit 2',
        f"{WEEK} | summarize m = cpu_time.sum() by 1d, device.name",
    ],
)
def test_answers_stay(text: str) -> None:
    wanted = run(plan(text), FLEET.source()).table
    assert wanted.num_rows
    for seed in range(4):
        assert run(plan(text), CutSource(FLEET.source(), FLEET.catalog, FLEET.instance_zone, seed)).table.equals(wanted)


def test_texts_come_after_the_limit() -> None:
    asked = plan(f"{WEEK} | summarize m = cpu_time.sum() by binary.name | sort m desc | limit 2")
    cut = [CutSource(FLEET.source(), FLEET.catalog, FLEET.instance_zone, seed) for seed in range(4)]
    told = [shown for source in cut if CODE in (shown := translate(asked, source).explain(optimized=False))]
    assert len(told) == 3  # of one seed nothing is told
    for shown in told:
        assert shown.index(f'gather(col("binary.name{CODE}"))') < shown.index("SLICE") < shown.index("SORT BY")
        assert "to_lowercase" not in shown
