"""Which scores are good enough to stay in the beam, in machine code.

NumPy's partition does as well, but compiling it takes numba six seconds.
"""

# mypy: disable-error-code="no-untyped-def"

from asr.machine import part


@part
def _lowest_of_best(scores, room, count):
    """Return the ``count``-th highest score; ``room`` is overwritten.

    Source: Hoare (1961), "Algorithm 65: find".
    """
    for n in range(len(scores)):
        room[n] = scores[n]
    low, high, wanted = 0, len(scores) - 1, count - 1
    while low < high:
        pivot = room[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while room[left] > pivot:
                left += 1
            while room[right] < pivot:
                right -= 1
            if left <= right:
                room[left], room[right] = room[right], room[left]
                left += 1
                right -= 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return room[wanted]


@part
def bound_of(scores, room, weights):
    """Return the score that must be passed to stay, and how many more may have it."""
    best = scores[0]
    for score in scores:
        best = max(best, score)
    bound = best - weights.beam_threshold
    if len(scores) <= weights.beam:
        return bound, 0
    limit = _lowest_of_best(scores, room, weights.beam)
    if limit <= bound:
        return bound, 0
    passed = 0
    for score in scores:
        passed += score > limit
    return limit, weights.beam - passed
