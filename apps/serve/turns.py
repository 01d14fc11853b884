"""Who reads when: two threads, and a short queue before them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from apps.serve.refusals import RETRY, RefusedError
from apps.serve.settings import Limits

T = TypeVar("T")
THREADS = 2


class Turns:
    """One thread for most pictures, one for those that need much memory, so that neither kind waits for the other.

    A second thread for small pictures would not read more of them, because Python runs one thread at a time; more
    processes would.
    """

    def __init__(self, limits: Limits) -> None:
        """No thread is started before the first work."""
        self._limits = limits
        self._small, self._large = ThreadPoolExecutor(1, "small"), ThreadPoolExecutor(1, "large")
        self._unfinished = 0

    async def small(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work`, when its turn has come.

        Raises:
            RefusedError: 503, because too many wait, or the turn did not come in time.
        """
        return await self._run(self._small, work, *arguments)

    async def large(self, work: Callable[..., T], *arguments: object) -> T:
        """As `small`, but never two at the same time."""
        return await self._run(self._large, work, *arguments)

    async def _run(self, thread: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        if self._unfinished >= self._limits.waiting + THREADS:
            raise RefusedError(503, f"expected at most {self._limits.waiting} waiting pictures, found more", RETRY)
        self._unfinished += 1
        future = thread.submit(work, *arguments)
        timer = asyncio.get_running_loop().call_later(self._limits.wait_seconds, future.cancel)  # unless it has begun
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            line = f"expected to read the picture within {self._limits.wait_seconds:g} s, found too many before it"
            raise RefusedError(503, line, RETRY) from None
        finally:
            timer.cancel()
            self._unfinished -= 1
