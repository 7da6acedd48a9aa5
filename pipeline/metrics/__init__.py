"""Metrics that need no network; import a module of these only where it is used."""
