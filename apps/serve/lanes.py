"""Processes beside the service that read pictures, and the queues before them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from fastapi import HTTPException

from apps.serve.jobs import Job, Outcome, receive_outcome, send_job
from apps.serve.settings import RETRY
from mnist_reader.core.errors import UserError

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


class WorkerError(Exception):
    """A reading process has ended by itself."""


class Worker:
    """A process that reads pictures, one at a time. Its methods wait for it."""

    def __init__(self, model: Path | None, niceness: int) -> None:
        """Start it; `loaded` waits until it is ready.

        Args:
            model: the ONNX file; else the project's own.
            niceness: 0–19, how much it leaves the processor to others.
        """
        self._command = [sys.executable, "-P", "-m", "apps.serve.worker", str(niceness)]
        if model:
            self._command.append(str(model))
        self._spawn()

    def _spawn(self) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._is_ending = False
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            process_group=0,  # so that a terminal's Ctrl-C reaches the service alone
        )
        self._jobs, self._answers = (cast(BinaryIO, pipe) for pipe in (self._process.stdin, self._process.stdout))

    def loaded(self) -> dict[str, Any]:
        """What the model says about itself.

        Raises:
            UserError: one line: see `mnist_reader.Reader`.
            WorkerError: the process has ended.
        """
        outcome, content = self._receive()
        if outcome is not Outcome.READY:
            raise UserError(content.decode())
        return json.loads(content)

    def ensure(self) -> None:
        """Start the process again if it has ended.

        Raises:
            UserError, WorkerError: see `loaded`.
        """
        if self._is_ending or self._process.poll() is not None:
            self.join()
            self._spawn()
            self.loaded()

    def ask(self, job: Job) -> tuple[Outcome, bytes]:
        """What became of a job.

        Raises:
            WorkerError: the process has ended.
        """
        try:
            send_job(self._jobs, job)
        except OSError:
            raise self._ended() from None
        return self._receive()

    def _receive(self) -> tuple[Outcome, bytes]:
        try:
            return receive_outcome(self._answers)
        except EOFError:
            raise self._ended() from None

    def _ended(self) -> WorkerError:
        return WorkerError(f"a process that reads pictures has ended with code {self._process.wait()}")

    def end(self) -> None:
        """End it, and with that whatever waits for it. This does not wait: a large process takes a while."""
        self._is_ending = True
        self._process.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.wait()
        for pipe in (self._jobs, self._answers):
            with suppress(OSError):  # a job that was not sent whole
                pipe.close()


class Lane:
    """A worker, and the jobs that wait for it in the order in which they came."""

    def __init__(self, worker: Worker, waiting: float, wait_seconds: float) -> None:
        """Args: who reads; how many jobs may wait; how long one may wait."""
        self._worker, self._waiting, self._wait_seconds = worker, waiting, wait_seconds
        self._turn, self._unfinished = asyncio.Lock(), 0
        self._thread = ThreadPoolExecutor(1, "lane")  # waits for the worker, so that the event loop need not

    async def run(self, job: Job, seconds: float) -> tuple[Outcome, bytes]:
        """What became of a job, when its turn has come.

        Raises:
            HTTPException: 503, because too many wait, or the turn did not come in time.
            TimeoutError: it takes more than `seconds`; the worker was ended.
            WorkerError: the worker has ended by itself.
        """
        if self._unfinished > self._waiting:
            raise HTTPException(503, f"expected at most {self._waiting} waiting pictures, found more", RETRY)
        self._unfinished += 1
        try:
            await self._wait()
            try:
                return await self._ask(job, seconds)
            finally:
                self._turn.release()
        finally:
            self._unfinished -= 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turn.acquire()
        except TimeoutError:
            line = f"expected to read the picture within {self._wait_seconds:g} s, found too many before it"
            raise HTTPException(503, line, RETRY) from None

    async def _ask(self, job: Job, seconds: float) -> tuple[Outcome, bytes]:
        await self._in_thread(self._worker.ensure)
        try:
            async with asyncio.timeout(seconds):
                return await self._in_thread(self._worker.ask, job)
        except BaseException:  # cancelled too: nobody waits for the answer, but the next job would get it
            self._worker.end()
            raise

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
