"""Services over HTTP: asking, paging, knowing where an answer ends."""
