"""The catalog: every table and field NQL knows, as data. One JSON file a namespace; `context.json` holds what events
freeze.
"""
