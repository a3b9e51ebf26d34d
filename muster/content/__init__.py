"""Content as files: actions, saved queries and schedules that live in a folder (and in git), and in portals."""
