"""Having a lake again: backup, restore, move, and whether every file is there."""
