"""`muster fields`: custom fields of devices, people, binaries and packages.

In: a kind of object, a name, a type. Out: the custom fields there are. Invariant: nothing is set here: values come by
enrichment.
"""

from __future__ import annotations

from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = "Custom fields. They are set by the Enrichment API (docs/nexthink-apis.md), and asked as device.#NAME."
EXAMPLES = """\
examples:
  muster fields add device room
  muster fields add device leased_until --type datetime
  muster fields add user organization.area
  muster fields list"""
OBJECTS = ("device", "user", "binary", "package")
TYPES = ("string", "int", "float", "boolean", "datetime")
LISTED = {"query": "field", "type": "type"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    add, listing = verb("add", "have a custom field, for ever"), verb("list", "all of them")
    add.add_argument("object", choices=OBJECTS, help="what has it")
    add.add_argument("name", help="its name; organization.NAME is a level of the organisation of devices or people")
    add.add_argument("--type", choices=TYPES, default="string", help="what it holds (default: string)")
    for one in (add, listing):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "add":
            body = {"object": options.object, "name": options.name, "type": options.type}
            said = portal.post("/custom-fields", body)["field"]
            tell(options, f"{said['query']}: {said['type']}", said)
        case "list":
            found = portal.get("/custom-fields")["fields"]
            print_rows(found, LISTED, as_json=options.json, empty="There are no custom fields yet.")
