"""Who reads when: one picture at a time, in a thread beside the event loop, with a short queue before it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import HTTPException

from apps.serve.settings import RETRY, Limits

T = TypeVar("T")


class WorkQueue:
    """Runs one piece of work at a time. More would not be faster, because Python runs one thread at a time."""

    def __init__(self, limits: Limits) -> None:
        """Nothing waits yet. It is one thread, because malloc keeps what each thread frees for that thread."""
        self._limits, self._turn, self._unfinished = limits, asyncio.Lock(), 0
        self._thread = ThreadPoolExecutor(1, "reader")

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work`, when its turn has come.

        Raises:
            HTTPException: 503, because too many wait, or the turn did not come in time.
        """
        if self._unfinished > self._limits.waiting:
            raise HTTPException(503, f"expected at most {self._limits.waiting} waiting pictures, found more", RETRY)
        self._unfinished += 1
        try:
            await self._wait()
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
            finally:
                self._turn.release()
        finally:
            self._unfinished -= 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._turn.acquire()
        except TimeoutError:
            line = f"expected to read the picture within {self._limits.wait_seconds:g} s, found too many before it"
            raise HTTPException(503, line, RETRY) from None
