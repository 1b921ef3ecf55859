"""Several training processes under `torchrun`, by PyTorch's DistributedDataParallel; one process without it.

Each process takes its share of every batch, gradients are averaged, and the process of rank 0 alone writes and
speaks. Batch norm uses the statistics of the whole batch on CUDA (SyncBatchNorm); PyTorch has no such thing on the
CPU, where each process normalises by the statistics of its own share.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ...errors import UserError
from ..devices import choose_device


@dataclass(frozen=True)
class Workers:
    """This process's place among the training processes: `rank` of `size`, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def require_shares(self, batch: int, least: int = 2) -> None:
        """Raise UserError unless a batch can be dealt out evenly, `least` images or more to each process."""
        if batch % self.size or batch < least * self.size:
            raise UserError(
                f"A batch of {batch} cannot be dealt out evenly to {self.size} processes.",
                f"Use --batch with a multiple of {self.size}, at least {least * self.size}.",
            )

    def share(self, module: nn.Module) -> nn.Module:
        """The module to call in training: itself, or wrapped so that its gradients are averaged."""
        if self.size == 1:
            return module
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        # Running statistics need no broadcast: training never uses them.
        return DistributedDataParallel(module, broadcast_buffers=False)

    def mean(self, values: dict[str, Tensor]) -> Tensor:
        """The mean over the processes of some scalars, (len(values),), still on the device."""
        return self.averaged(torch.stack([value.detach().float() for value in values.values()]))

    def averaged(self, values: Tensor) -> Tensor:
        """The mean over the processes of a tensor that no gradient passes."""
        if self.size == 1:
            return values
        shared = values.detach().clone()
        distributed.all_reduce(shared)
        return shared / self.size

    def largest(self, value: int) -> int:
        """The largest value that any process gives; so all of them come to the same decision."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return int(shared)

    def wait(self) -> None:
        """Return when every process has come here."""
        self.largest(0)


@contextlib.contextmanager
def join_workers(device: str) -> Iterator[Workers]:
    """Take the place that `torchrun` gave this process; alone without it."""
    chosen = choose_device(device)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Workers(0, 1, chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Workers(rank, size, chosen)
    finally:
        distributed.destroy_process_group()
