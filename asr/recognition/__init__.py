"""Recognition: a model and recordings to hypotheses."""
