"""The catalog as the API shows it.

In: a `Catalog` and the functions of the language. Out: messages. Invariant: nothing is left out but the templates,
which are no tables one can ask.
"""

from __future__ import annotations

from nql.catalog.model import Catalog, Field, Table
from nql.functions import FUNCTIONS
from portal.queries import messages as m


def catalog_info(catalog: Catalog) -> m.CatalogInfo:
    """The whole catalog and every function."""
    tables = [_table(table) for table in catalog.tables.values() if "<" not in table.name]
    functions = [m.FunctionInfo(name, item.role.value, item.doc, item.example) for name, item in FUNCTIONS.items()]
    return m.CatalogInfo(catalog.version, tables, functions)


def _table(table: Table) -> m.TableInfo:
    fields = [_field(item) for item in table.fields.values() if "<" not in item.name]
    return m.TableInfo(table.name, table.shortcut, table.kind.value, table.record, table.doc, dict(table.links), fields)


def _field(item: Field) -> m.FieldInfo:
    dtype = item.dtype
    return m.FieldInfo(
        item.name, dtype.kind.value, dtype.unit, item.doc, list(dtype.members), item.metric, item.guess, item.ours
    )
