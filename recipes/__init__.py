"""What to fine-tune for: a module a recipe."""
