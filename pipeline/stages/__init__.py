"""The stages recipes are made of: functions from directories to a directory."""
