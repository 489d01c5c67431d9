"""Files dropped into a folder: finding them, looking at them, reading each format."""
