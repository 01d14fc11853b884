"""The smallest service around the same reader, which apps.serve is measured beside: no limits, no logs, one thread.

Run: python -m uvicorn benchmarks.smallest_service:app --http h11 --no-access-log
"""

from typing import Any

from fastapi import FastAPI, Request

from mnist_reader import Reader

app = FastAPI()
reader = Reader()


@app.post("/read")
async def read(request: Request) -> dict[str, Any]:
    """What the picture in the body says."""
    reading = reader.read(await request.body())
    digits = [
        {"line": line} | {name: value for name, value in digit._asdict().items() if name != "image"}
        for line, row in enumerate(reading.lines)
        for digit in row
    ]
    whole = {name: getattr(reading, name) for name in ("text", "confidence", "unsure", "empty", "turned")}
    return whole | {"digits": digits}
