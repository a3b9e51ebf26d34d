"""Content as files: actions, saved queries, workflows and schedules in a folder (and in git), and in portals."""
