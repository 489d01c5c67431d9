"""What leaves the lake: read-only files, each of one version."""
