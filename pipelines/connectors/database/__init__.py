"""Tables of databases, read and never written."""
