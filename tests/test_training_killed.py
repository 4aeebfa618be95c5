"""Killed outright and gone on with: three times here, 20 times in ``make bench``."""

import os

import pytest

from tests.killing import Moment, finish, kill, weights_hash
from tests.training import numbers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no fork server, no SIGKILL")


def test_a_killed_training_ends_with_the_same_weights(prepared, settings, tmp_path):
    wanted = [*settings, "train.batch_seconds=1.5", "train.checkpoint_minutes=0.0002"]
    seconds, steps = finish(prepared, tmp_path / "whole", wanted)
    moments = [
        *(Moment("seconds", seconds / 3), Moment("steps", steps // 2)),
        Moment("writing", 4),
    ]
    for number, moment in enumerate(moments):
        out = tmp_path / str(number)
        assert kill(prepared, out, wanted, moment), "it was done before"
        _, taken = finish(prepared, out, wanted)
        assert taken < steps or moment.kind == "seconds", "it began anew"
        assert weights_hash(out) == weights_hash(tmp_path / "whole")
        assert numbers(out) == numbers(tmp_path / "whole")
