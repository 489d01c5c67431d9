"""Where things are: coordinate systems, points and shapes, judged and turned into the lake's own."""
