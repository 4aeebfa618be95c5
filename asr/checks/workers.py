"""Scanning files in processes of which one may be killed by a file without harm.

``concurrent.futures`` gives up all of a pool when one of its processes dies, and does
not say on which file. Here each process has a pipe of its own, and the file it was at
when it died is the one that has no result.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import cast

from asr.checks.facts import FileProblem, Recording, Stretch
from asr.checks.scan import scan_file

#: A file and the stretches of it to measure.
Job = tuple[Path, tuple[Stretch, ...]]
#: Jobs handed to a process at a time: few enough that all end at about the same time.
_CHUNK = 16


def scan_in_processes(
    jobs: Sequence[Job], workers: int, *, decode: bool
) -> Iterator[Recording]:
    """Yield the recording of each job, in whatever order they are done.

    A file on which the decoder crashes is damaged; the others are scanned by another
    process. Whatever ends the iteration, Ctrl-C included, ends the processes at once.
    """
    # Fork would copy threads' locks and the libraries' state, and Windows has none.
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(jobs))
    crew: dict[Connection, _Worker] = {}
    try:
        for _ in range(min(workers, len(jobs))):
            _hire(context, crew, decode)
        while crew:
            # On Windows they are of another class with the same methods.
            for pipe in cast(list[Connection], wait(list(crew))):
                worker = crew[pipe]
                try:
                    answer = pipe.recv()
                except (EOFError, OSError):
                    del crew[pipe]
                    yield from _bury(worker, waiting)
                    if waiting and worker.started:
                        _hire(context, crew, decode)
                    continue
                if isinstance(answer, BaseException):
                    raise answer
                worker.started = True
                if answer is not None:
                    worker.jobs.pop(0)
                    yield answer
                if not worker.jobs:
                    _assign(worker, waiting, crew)
    finally:
        for worker in crew.values():
            worker.process.terminate()
        for worker in crew.values():
            worker.process.join()
            worker.pipe.close()
    # Left over where no process could be started, as from a program on standard input.
    for path, stretches in reversed(waiting):
        yield scan_file(path, stretches, decode=decode)


class _Worker:
    """A process, the end of its pipe that is here, and what it is at."""

    def __init__(
        self, process: multiprocessing.process.BaseProcess, pipe: Connection
    ) -> None:
        self.process = process
        self.pipe = pipe
        self.jobs: list[Job] = []
        self.started = False


def _hire(
    context: multiprocessing.context.SpawnContext,
    crew: dict[Connection, _Worker],
    decode: bool,
) -> None:
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, decode), daemon=True)
    process.start()
    # Else the pipe would not end when the process does.
    there.close()
    crew[here] = _Worker(process, here)


def _assign(
    worker: _Worker, waiting: list[Job], crew: dict[Connection, _Worker]
) -> None:
    """Give a worker its next jobs; let it go home if there are none."""
    size = max(1, min(_CHUNK, len(waiting) // (2 * len(crew))))
    worker.jobs = [waiting.pop() for _ in range(min(size, len(waiting)))]
    with suppress(OSError):  # it died meanwhile; that is seen when it is read from
        worker.pipe.send(worker.jobs)
    if not worker.jobs:
        del crew[worker.pipe]
        worker.process.join()
        worker.pipe.close()


def _bury(worker: _Worker, waiting: list[Job]) -> Iterator[Recording]:
    """Yield the recording that a process died of; its other jobs wait again."""
    worker.process.join()
    worker.pipe.close()
    if worker.jobs:
        path = worker.jobs.pop(0)[0]
        waiting.extend(reversed(worker.jobs))
        yield _crashed(path)


def _crashed(path: Path) -> Recording:
    problem = FileProblem(code="file-damaged", message="the decoder crashed on it")
    try:
        status = path.stat()
    except OSError:
        return Recording(path=path, problems=(problem,))
    size, modified = status.st_size, status.st_mtime_ns
    return Recording(path=path, size=size, modified=modified, problems=(problem,))


def work(pipe: Connection, decode: bool) -> None:
    """Scan what comes through the pipe until nothing does."""
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # libmpg123 writes there what it thinks of each frame that is wrong.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(EOFError, OSError):
        pipe.send(None)
        while jobs := pipe.recv():
            for path, stretches in jobs:
                try:
                    answer = scan_file(path, stretches, decode=decode)
                except Exception as error:  # noqa: BLE001 - raised by who waits for it
                    pipe.send(error)
                    return
                pipe.send(answer)
