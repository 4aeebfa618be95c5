import threading
import time

import pytest

from asr.corpora.threads import in_order


def test_results_come_in_order():
    def slow_at_first(n):
        time.sleep(0.002 * (20 - n))
        return n * n

    with in_order(slow_at_first, range(20), workers=4) as results:
        assert list(results) == [n * n for n in range(20)]


def test_only_a_few_are_taken_before_they_are_wanted():
    taken = []

    def items():
        for n in range(100):
            taken.append(n)
            yield n

    with in_order(str, items(), workers=3) as results:
        for n, result in enumerate(results):
            assert result == str(n)
            assert len(taken) <= n + 1 + 6
    assert len(taken) == 100


def test_an_error_is_raised_and_no_thread_is_left():
    before = threading.active_count()
    started = []

    def fail(n):
        started.append(n)
        if n == 3:
            raise ValueError("three")
        time.sleep(0.01)
        return n

    with (
        pytest.raises(ValueError, match="three"),
        in_order(fail, range(1000), workers=2) as results,
    ):
        list(results)
    assert threading.active_count() == before
    assert len(started) < 20


def test_nothing_to_do_is_no_result():
    with in_order(str, []) as results:
        assert list(results) == []
