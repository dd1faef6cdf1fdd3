"""How the service is served. gunicorn finds this file by its name."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import sys
from typing import Any

import gevent
from gevent import events, monkey

import logs
import settings as settings_module
from settings_reader import SettingsError
from web import scratch

# What the workers share is loaded before they are forked, and its locks must be those of greenlets.
# Forking, signals and children are gunicorn's own business. At each of its steps gevent asks every
# installed package for a plugin, 19 times in all: we want none, and it takes as long as Flask.
events.notify_and_call_entry_points = events.notify
monkey.patch_all(os=False, signal=False, subprocess=False)

try:
    settings = settings_module.from_environment(os.environ)
    _missing = settings.missing()
except SettingsError as error:
    _missing = [str(error)]
if _missing:
    sys.exit("cannot start: " + "; ".join(_missing))

bind = [f"0.0.0.0:{settings.port}", f"[::]:{settings.port}"]
workers = settings.workers
# One thread of each worker waits for all its connections: a slow platform stops nobody else.
worker_class = "web.worker.Worker"
logger_class = "web.worker.Log"
# The code and the rules are loaded once, and the workers share their memory.
preload_app = True
# A callback needs a connection of its own, and one to the platform.
_most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
_files = 8192 if _most == resource.RLIM_INFINITY else min(_most, 8192)
resource.setrlimit(resource.RLIMIT_NOFILE, (_files, _most))
worker_connections = (_files - 64) // 2
backlog = 2048
# A connection is kept open for the next callback. The host's proxy must be the first to let it go,
# or it sends a callback into a connection that is just being closed: Heroku's does after 90 s.
keepalive = 95
# Calls in hand are finished: a callback takes 10 s at most, and a host kills after 30.
graceful_timeout = 20
timeout = 30
# Nobody manages the service through a socket, and two services on a host would share it.
control_socket_disable = True
# gunicorn_h1c, if it is there, waits for more of a request line that has ended too early.
http_parser = "python"
# Header limits in the size that the platform sends.
limit_request_line = 8190
# No header changes the path or the scheme, whoever sends it.
forwarder_headers = ""
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
limit_request_fields = 50

logconfig_dict = logs.configuration(settings.log_level, mask=settings.log_numbers == "masked")

# What the service writes holds phone numbers, and is for nobody else on this host.
os.umask(0o077)
scratch.sweep()
_metrics_dir = scratch.make(scratch.METRICS)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_dir
_copies_dir = scratch.make(scratch.COPIES)
os.environ.setdefault("LEDGER_COPIES", f"{_copies_dir}/copies.sqlite3")


def nworkers_changed(server: Any, _new: int, old: int | None) -> None:
    """Listen, once the settings of gunicorn are complete and before it says a word.

    gunicorn itself would try a port in use for five seconds, and knows no socket for IPv6 alone.
    """
    if old is None and server.cfg.settings["bind"].get() == bind:
        from web import listeners  # noqa: PLC0415 - everything is patched by now

        server.LISTENERS = listeners.opened(settings.port, server.cfg, server.log)


def on_starting(server: Any) -> None:
    """Load what the workers share; gauges of this process would count as those of a worker."""
    from web import metrics  # noqa: PLC0415 - it wants the folder set

    server.app.wsgi().extensions["callrouter"].prepare()
    metrics.forget(os.getpid())
    gc.collect()
    gc.freeze()  # the collector would write to every object, and so copy its page


def post_fork(_server: Any, _worker: Any) -> None:
    """Let the worker have an event loop of its own."""
    gevent.reinit()
    # Hardly anything that a call leaves behind is garbage for the collector.
    gc.set_threshold(20_000, 20, 20)


def post_worker_init(worker: Any) -> None:
    """Begin the background work of a worker before its first call."""
    worker.wsgi.extensions["callrouter"].start()


def worker_exit(_server: Any, worker: Any) -> None:
    """Leave what is due to other workers."""
    worker.wsgi.extensions["callrouter"].stop()
    if worker.ppid != os.getppid():  # the master was killed, and cannot do it
        scratch.leave()


def child_exit(_server: Any, worker: Any) -> None:
    """Let the metrics forget a worker that has gone."""
    from web import metrics  # noqa: PLC0415 - it wants the folder set

    metrics.forget(worker.pid)


def on_exit(_server: Any) -> None:
    """Remove the metrics of this run, and its copies of the ledger."""
    shutil.rmtree(_metrics_dir, ignore_errors=True)
    shutil.rmtree(_copies_dir, ignore_errors=True)
