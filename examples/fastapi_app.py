"""The store inside of a FastAPI application: S3 under /s3, everything else is the application's own.

    .venv/bin/python -m pip install fastapi uvicorn     # the store itself needs neither
    .venv/bin/uvicorn examples.fastapi_app:app          # or another ASGI server

S3 clients are pointed at http://127.0.0.1:8000/s3, with path-style addresses. Only `entrepot serve` makes a root key
by itself: on fresh data say `entrepot key create --account root --root` first, or set ENTREPOT_ACCESS_KEY and
ENTREPOT_SECRET_KEY.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from entrepot.app import application
from entrepot.config import load

# Settings as `entrepot serve` has them: entrepot.toml and ENTREPOT_* variables. Every process of the
# host opens the same data, so the number of workers is the host's business alone.
store = application(load({}, os.environ).config)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """A mounted application hears nothing of its host's start and end, so it is told."""
    await store.open()
    yield
    await store.close()


app = FastAPI(lifespan=lifespan)


@app.get("/hello")
async def hello() -> dict[str, str]:
    """A route of the host."""
    return {"hello": "world"}


app.mount("/s3", store)
app.router.routes.append(Route("/s3", store.at("/s3")))  # where a mount has "/s3/" and below, clients ask for "/s3" too
