"""Personal data and secrets in texts: found, masked, and kept from being published."""
