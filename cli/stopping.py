"""Ctrl-C and requests to terminate, for commands that have something to save first."""

import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

_LINE = b"\nasr: ending after this batch; Ctrl-C again ends at once\n"


class StopSignals:
    """Takes SIGINT, SIGTERM and Windows' SIGBREAK down while this lasts.

    A signal that is ignored, as Ctrl-C is in a script's background jobs, stays so. The
    second signal does what it does everywhere: end at once.

    Attributes:
        received: The signal that came, if one has.
        gentle: Whether the command looks at ``received`` by itself; else a signal ends
            it at once.
    """

    def __init__(self, line: bytes = _LINE) -> None:
        """Take down nothing yet.

        Args:
            line: What a command says that looks at ``received``; nothing if empty.
        """
        self.received: int | None = None
        self.gentle = False
        self._line = line
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is None:
                continue
            before = signal.getsignal(number)
            if before in (signal.default_int_handler, signal.SIG_DFL):
                self._before[number] = before
                signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    @property
    def exit_code(self) -> int:
        """What shells return for a command that the signal ended: 130 for Ctrl-C."""
        return 128 + (self.received or signal.SIGINT)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._restore()
        if not self.gentle:
            raise KeyboardInterrupt
        # Straight to the file: the interrupted code may be writing to the stream.
        os.write(2, self._line)

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}
