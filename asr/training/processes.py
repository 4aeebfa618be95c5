"""Several processes that train one model, as ``torchrun`` starts them.

Each computes its share of every batch and holds the same weights; gradients are summed
before a step is taken, so a training is the same whatever the number of processes, but
for the order in which sums are added up. The first process writes all files.

``DistributedDataParallel`` is not used: it averages over processes as if their shares
were equally large, wants one backward pass a step, and hides the sum in which a step
that must be skipped can be seen by all.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from asr.errors import AsrError, TrainingError

Item = TypeVar("Item")
#: While the first process lists the worst utterances or writes to a slow disk, the
#: others wait so long at most.
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
        dist.broadcast_object_list(answer)
        if isinstance(answer[0], AsrError):
            raise answer[0]
        found: Item = answer[0]
        return found


ALONE = Processes()


def join_processes(device: str) -> Processes:
    """Meet the other processes that ``torchrun`` has started, if it has.

    Args:
        device: "cpu" has them talk through Gloo, "cuda" through NCCL.

    Raises:
        TrainingError: If they do not meet.
    """
    if "WORLD_SIZE" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return ALONE
    try:
        if device != "cpu":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group(
            "gloo" if device == "cpu" else "nccl", timeout=_PATIENCE
        )
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}: the processes do not meet: {error}"
            "; start them with torchrun"
        ) from None
    return Processes(dist.get_rank(), dist.get_world_size())


def leave_processes(processes: Processes) -> None:
    """Take leave of the others."""
    if processes.size > 1:
        dist.destroy_process_group()
