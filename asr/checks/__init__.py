"""The data doctor: every problem of recordings and texts, found and named."""
