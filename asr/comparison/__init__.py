"""Trained models side by side: read, scored, in tables and on a page."""
