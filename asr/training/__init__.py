"""Training: batches, loop, schedule, state."""
