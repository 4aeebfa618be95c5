"""A training killed at 20 random points, and its weights compared: ``make bench``."""

import os
import random

import pytest

from tests.killing import Moment, finish, kill, temporaries, weights_hash
from tests.training import numbers

KILLS = 20
#: What of the run's length a kill by the clock comes at; starting takes some of it.
EARLIEST, LATEST = 0.1, 0.9


def moment(kind, draws, seconds, steps):
    if kind == "seconds":
        return Moment(kind, seconds * draws.uniform(EARLIEST, LATEST))
    if kind == "steps":
        return Moment(kind, draws.randrange(1, steps))
    return Moment(kind, draws.randrange(1, 20))


@pytest.mark.skipif(os.name == "nt", reason="no fork server, no SIGKILL")
def test_twenty_kills(prepared, settings, tmp_path):
    """By the clock, by steps, and while a file is being written, in turn."""
    wanted = [
        *(*settings, "train.epochs=6", "train.batch_seconds=1.5"),
        *("model.hidden=16", "train.checkpoint_minutes=0.0005"),
    ]
    seconds, steps = finish(prepared, tmp_path / "whole", wanted)
    whole = weights_hash(tmp_path / "whole")
    print(f"\nuninterrupted: {steps} steps, {seconds:.1f} s, weights {whole}")
    draws, equal, torn, kinds = random.Random(0), 0, 0, ("seconds", "steps", "writing")
    for number in range(KILLS):
        out = tmp_path / f"{number}"
        when = moment(kinds[number % 3], draws, seconds, steps)
        while not kill(prepared, out, wanted, when):  # the machine was quicker
            out = tmp_path / f"{out.name}x"
            when = moment(when.kind, draws, seconds, steps)
        left = temporaries(out)
        torn += bool(left)
        _, rest = finish(prepared, out, wanted)
        same = weights_hash(out) == whole
        equal += same and numbers(out) == numbers(tmp_path / "whole")
        print(
            f"  killed after {when.value:5.3g} {when.kind:7}: {steps - rest:2} steps "
            f"kept, {'a file half written' if left else '':19}  "
            f"{'equal' if same else 'NOT EQUAL'}"
        )
    print(f"{equal} of {KILLS} equal, {torn} of them killed in the middle of a write")
    assert equal == KILLS
    assert torn >= KILLS // 4
