"""Several processes that train one model, as ``torchrun`` starts them.

Each computes its share of every batch and holds the same weights; gradients are summed
before a step is taken, so a training is the same whatever the number of processes, but
for the order in which sums are added up. The first process writes all files.

``DistributedDataParallel`` is not used: it averages over processes as if their shares
were equally large, wants one backward pass a step, and hides the sum in which a step
that must be skipped can be seen by all.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from asr.errors import AsrError, TrainingError

Item = TypeVar("Item")
#: While the first process writes to a slow disk, the others wait so long at most.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone, nothing is exchanged.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Return this process's part of what all have in the same order."""
        return list(items[self.rank :: self.size])

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type and device by their sums over the processes."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._explained():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, holds: bool) -> bool:
        """Return whether it holds in any process."""
        return holds if self.size == 1 else any(self.gather(holds))

    def gather(self, value: Item) -> list[Item]:
        """Return the values of all processes, in their order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with self._explained():
            dist.all_gather_object(found, value)
        return found

    def decide(self, decision: Callable[[], Item]) -> Item:
        """Return what the first process decides; its error is every process's.

        Raises:
            AsrError: If the first process ran into one.
        """
        if self.size == 1:
            return decision()
        answer: list[Any] = [None]
        if self.first:
            try:
                answer = [decision()]
            except AsrError as error:
                answer = [error]
        with self._explained():
            dist.broadcast_object_list(answer)
        if isinstance(answer[0], AsrError):
            raise answer[0]
        found: Item = answer[0]
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn a lost connection into an error of one line.

        Raises:
            TrainingError: If another process is gone.
        """
        try:
            yield
        except RuntimeError as error:
            raise TrainingError(
                f"process {self.rank} of {self.size}: another is gone, which may have "
                f"said why; --resume goes on ({str(error).splitlines()[0]})"
            ) from None


ALONE = Processes()


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Meet the other processes that ``torchrun`` has started, if it has, for a while.

    Args:
        device: "cpu" has them talk through Gloo, "cuda" through NCCL.

    Raises:
        TrainingError: If they do not meet, or there are fewer GPUs than processes.
    """
    wanted = os.environ.get("WORLD_SIZE", "1")
    if wanted == "1":
        yield ALONE
        return
    try:
        if device != "cpu":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        _meet("gloo" if device == "cpu" else "nccl")
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(
            f"WORLD_SIZE={wanted}: the processes do not meet: {error}; start them with "
            "torchrun, at most one a GPU"
        ) from None
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _meet(engine: str) -> None:
    if os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        dist.init_process_group(engine, timeout=_PATIENCE)
        return
    from torch.distributed.rendezvous import rendezvous

    # torchrun's processes meet through a store that outlives them: what they left there
    # would mislead those that are started again (PyTorch's issue 135712). On several
    # machines the number of restarts is not the same for all.
    store, rank, size = next(iter(rendezvous("env://", timeout=_PATIENCE)))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(
        engine,
        store=dist.distributed_c10d.PrefixStore(f"attempt-{attempt}", store),
        rank=rank,
        world_size=size,
        timeout=_PATIENCE,
    )
