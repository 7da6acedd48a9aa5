"""Reading labelled text as people have it."""
