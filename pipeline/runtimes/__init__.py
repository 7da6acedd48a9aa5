"""Running exported models without the framework they were trained in."""
