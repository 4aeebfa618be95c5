"""The acoustic model: recurrent stack, network, and the file a model is kept in."""
