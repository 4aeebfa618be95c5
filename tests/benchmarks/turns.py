"""Contestants that take turns: on a shared machine only ratios in one run count."""

import statistics
import time

ROUNDS = 15


def take_turns(contestants, rounds=ROUNDS):
    """Return the times of each contestant by round, seconds; a first is for warmth."""
    times = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - began)
    return times


def report(title, times, base):
    print(f"\n{title}")
    for name, values in times.items():
        ratios = [b / v for b, v in zip(times[base], values, strict=True)]
        print(
            f"  {name:<28} median {1000 * statistics.median(values):6.0f} ms "
            f"({1000 * min(values):.0f} to {1000 * max(values):.0f})   "
            f"{statistics.median(ratios):.2f} times as fast as {base}"
        )
