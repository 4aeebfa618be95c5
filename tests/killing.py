"""Trainings killed from outside, with SIGKILL, and gone on with."""

import hashlib
import multiprocessing
import signal
import time
from dataclasses import dataclass
from functools import cache

from safetensors.torch import load_file

from asr.settings import load_config
from asr.training.monitor import Monitor
from asr.training.stage import train


@dataclass(frozen=True)
class Moment:
    """When to kill.

    Attributes:
        kind: After ``seconds``, after ``steps``, or while a file is ``writing``.
        value: How many of them; of files being written, which.
    """

    kind: str
    value: float


class Counter(Monitor):
    """Counts steps where the process that kills can see it."""

    def __init__(self, steps):
        self.steps = steps

    def batch(self, loss, audio):
        self.steps.value += 1


def run(data, out, settings, steps):
    """Train or go on, in a process of its own."""
    monitor = Counter(steps)
    train(data, out, load_config(None, settings), resume=True, monitor=monitor)


@cache
def server():
    """Return what forks processes in which torch is imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killing"])
    return context


def start(data, out, settings):
    steps = server().Value("q", 0)
    process = server().Process(target=run, args=(data, out, settings, steps))
    process.start()
    return process, steps


def finish(data, out, settings):
    """Train to the end; return the seconds it took and the steps."""
    began = time.perf_counter()
    process, steps = start(data, out, settings)
    process.join(900)
    assert process.exitcode == 0
    return time.perf_counter() - began, steps.value


def kill(data, out, settings, moment):
    """Start a training or go on, and kill it; return whether it was not done before."""
    process, steps = start(data, out, settings)
    reached = {"seconds": after, "steps": stepped, "writing": wrote}[moment.kind]
    reached(moment.value, process, steps, out)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def after(seconds, process, steps, out):
    process.join(seconds)


def stepped(count, process, steps, out):
    while steps.value < count and process.is_alive():
        time.sleep(0.001)


def wrote(number, process, steps, out):
    """Wait for the ``number``-th file under a temporary name."""
    seen = set()
    while len(seen) < number and process.is_alive():
        seen |= temporaries(out)


def temporaries(out):
    if not out.exists():
        return set()
    return {path.name for path in out.iterdir() if path.name.startswith(".")}


def weights_hash(out):
    """Return a hash of the final model's weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(load_file(out / "model.safetensors").items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()
