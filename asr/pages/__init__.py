"""What the HTML pages of all stages share: their look, numbers, charts and sounds."""
