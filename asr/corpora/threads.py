"""Work on many utterances in threads, its results in order and few at a time.

Threads are enough: soundfile and soxr release the interpreter's lock while they decode,
resample and encode.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Items that are done or being done, a thread, before the first is asked for.
_AHEAD = 2


@contextmanager
def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
) -> Iterator[Iterator[Result]]:
    """Yield an iterator over what a function returns for each item.

    An exception of the function is raised where its result is asked for. No thread
    runs any more when the block is left, however it is.

    Args:
        function: Called in a thread.
        items: What it is called with; taken as they are needed.
        workers: Threads; None is one a core.
    """
    count = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(count)
    try:
        yield _results(pool, function, iter(items), _AHEAD * count)
    finally:
        # Ctrl-C is not to wait for what is still in the queue.
        pool.shutdown(cancel_futures=True)


def _results(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterator[Item],
    ahead: int,
) -> Iterator[Result]:
    # Executor.map would begin with everything, and hold all that nobody took yet.
    started: deque[Future[Result]] = deque(
        pool.submit(function, item) for item in itertools.islice(items, ahead)
    )
    while started:
        result = started.popleft().result()
        started.extend(pool.submit(function, i) for i in itertools.islice(items, 1))
        yield result
