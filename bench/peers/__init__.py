"""Other servers that do the same work, each in its own idiom."""
