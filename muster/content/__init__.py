"""Content as files: actions, queries, campaigns, workflows and schedules in folders (and in git), and in portals."""
