"""The recurrences of the cells and their gradients, as machine code.

PyTorch's LSTM runs at the speed of its matrix products and is used as it is; its GRU
and vanilla cell do not, and the GRU of the paper it lacks.

A recurrence is a chain: no frame can be computed before the one before it. What is not
in the chain, the products of inputs and weights, is left to PyTorch, for all frames at
once. What remains for each frame is a product of the states with the recurrent weights
and a few element-wise steps; here both are in one loop that no interpreter and no
meeting of threads interrupts.

Each function works through the utterances of ``order`` in one direction, each to its
own length; backwards it begins at the last frame of each. It touches no other frame.
States are worked on in fours and weights padded to fours, so that an utterance's
numbers are the same to the bit whatever its batch mates.

Shape letters: B utterances, T frames, D directions, H hidden size, G numbers of all
gates of a cell (H or 3 H). The equations are those of :mod:`asr.model.cells`. The
loss's derivative by x is ``d_x``.

A recurrence takes what it is to fill last; so does its gradient:
    order: Rows of the batch, longest first.
    lengths: Valid frames of every row, (B,).
    way: The direction: 0 is forwards in time, 1 backwards.
    weights: Recurrent weights of this direction: (H, G) for the recurrence, from states
        to gates, and (G, H) for its gradient, from gates to states.
    bias: Added to the products of states and weights, (G,); in recurrences only.
    inputs: Products of inputs and weights with their bias, (B, T, D, G); likewise.
    gates: What the gates were, (B, T, D, G); the vanilla cell has none.
    inner: What r is multiplied with in ``gru_after``, (B, T, D, H); others have none.
    states: The layer's outputs, (B, T, D, H).
    before: The states one frame earlier, (B, T, D, H).
    d_states: What comes down from above, (B, T, D, H); in gradients only.
    d_gates: The derivative by ``inputs``; likewise.
    d_inner: That by ``inner``; likewise.
"""
