"""Where somebody speaks in a recording, and where it may be cut."""
