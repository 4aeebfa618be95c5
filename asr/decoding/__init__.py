"""From log-probabilities to token ids."""
