"""Who reads when: quick work at once, other work in a thread, one after another, with a short queue before it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from apps.serve.refusals import RETRY, RefusedError
from apps.serve.settings import Limits

T = TypeVar("T")


class Turns:
    """Quick work runs between two steps of the event loop, slow work in a thread beside it, one piece at a time.

    More at a time would not be faster, because Python runs one thread at a time. Quick work in a thread would be
    slower: the two threads would take Python's lock from each other at every step.
    """

    def __init__(self, limits: Limits) -> None:
        """No thread is started before the first work."""
        self._limits, self._thread, self._unfinished = limits, ThreadPoolExecutor(1, "slow"), 0

    async def quick(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work`, after all that is ready to run now."""
        await asyncio.sleep(0)
        return work(*arguments)

    async def slow(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work`, when its turn has come; quick work does not wait for it.

        Raises:
            RefusedError: 503, because too many wait, or the turn did not come in time.
        """
        if self._unfinished > self._limits.waiting:
            raise RefusedError(503, f"expected at most {self._limits.waiting} waiting pictures, found more", RETRY)
        self._unfinished += 1
        future = self._thread.submit(work, *arguments)
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
