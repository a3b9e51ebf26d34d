"""Query engines: pure functions from a resolved plan to a lazy query, and the running of it. They know no text and no
clock."""
