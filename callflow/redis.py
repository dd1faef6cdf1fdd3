"""The ledger in Redis: many hosts share calls, timers, busy counts, presence and pacing.

A record is read, changed here and written by a script that refuses if anything the change went
by has changed meanwhile; then it is read and changed again. So nobody ever waits for a lock.
"""

from __future__ import annotations

import json
import random
import secrets
import ssl
import time
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callflow import clock
from callflow import redis_scripts as scripts
from callflow.agenda import wake_at
from callflow.ledger import ContendedError, LedgerError, Setting, in_force
from callflow.record import Entry, Record, dump, load
from catapult.values import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

PREFIX = "callrouter:"
_PATIENCE, _CONNECTING = 1.0, 0.5
"""Seconds to wait for an answer; to connect."""
_CONNECTIONS = 4
"""Most connections of a process, of which one may listen; `?max_connections=` changes it."""
_LONGEST_TURN = 6.0
"""Seconds to wait for a free connection while others get theirs; _PATIENCE if nobody does."""
_IDLE = 10.0
"""Seconds after which a connection that nobody needed is closed."""
_CHECKED = 30
"""Seconds after which an idle connection is checked before it is used."""
_TRIES = 100
_LONGEST_PAUSE = 0.02
_DAY = 86_400
_PACE_KEPT = 3600
_AT_ONCE = 500
_PRUNED_AT_ONCE = 50
"""Calls that one step of pruning forgets; all others wait for it, callbacks too."""


class RedisLedger:
    """Keeps everything under one prefix of one Redis, for `days` and one day more at most.

    One object serves all threads of a process. `writer` is the host that it writes for. `tls` says
    how the certificate of a `rediss://` server is checked: `verify`, `off`, or the path of a file
    with the authorities that are trusted besides.
    """

    def __init__(
        self,
        url: str,
        days: float = 30,
        writer: str = "-",
        prefix: str = PREFIX,
        *,
        tls: str = "verify",
    ) -> None:
        self._prefix = prefix
        self._writer = writer
        self._kept = int((days + 1) * _DAY)
        self._place = _place(url)
        self._secrets = _secrets(url)
        self._db = _connect(url, self._place, tls)
        self._update = self._db.register_script(scripts.UPDATE)
        self._in_progress = self._db.register_script(scripts.IN_PROGRESS)
        self._slot = self._db.register_script(scripts.SLOT)
        self._prune = self._db.register_script(scripts.PRUNE)
        self._versions = self._db.register_script(scripts.VERSIONS)

    def update(self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]) -> T:
        """Change the record of a call in one atomic step, making the call known; count it."""
        for tried in range(_TRIES):
            if tried:
                time.sleep(random.uniform(0, min(0.001 * tried, _LONGEST_PAUSE)))  # noqa: S311
            with self._asking():
                stored = self._db.hget(self._key("call", call_id), "record")
            record = load(stored) if stored else Record(call_id)
            version, before = record.version, {leg.token: leg.is_open for leg in record.legs}
            counted: dict[str, int] = {}
            result = change(record, self._counter(counted))
            record.version += 1
            legs = [leg for leg in record.legs if before.get(leg.token) != leg.is_open]
            told = {
                "version": str(version),
                "counted": counted,
                "legs": [
                    {"token": leg.token, "destination": leg.destination, "open": leg.is_open}
                    for leg in legs
                ],
            }
            if self._write(record, told):
                return result
        raise ContendedError(f"a call at {self._place} was changed by others {_TRIES} times")

    def _counter(self, counted: dict[str, int]) -> Callable[[str], int]:
        def in_progress(destination: str) -> int:
            with self._asking():
                count = int(self._db.zcard(self._key("open", destination)))
            return counted.setdefault(destination, count)

        return in_progress

    def _write(self, record: Record, told: dict[str, Any]) -> bool:
        now, wake = clock.now(), wake_at(record)
        told |= {
            "write": secrets.token_hex(8),
            "next": str(record.version),
            "writer": self._writer,
            "keep": self._kept,
            "expires": repr(now + self._kept),
            "expired": repr(now - self._kept),
            "seen": repr(record.seen_at),
        }
        if wake is not None:
            told["wake"] = repr(wake)
        plan = msgspec.json.encode(record.plan) if record.plan is not None else ""
        texts = [dump(record), plan, json.dumps(told), *map(msgspec.json.encode, record.entries)]
        return bool(self._run(self._update, record.call_id, *texts))

    def load(self, call_id: str) -> Record | None:
        """Return the record of a call with its plan."""
        with self._asking():
            stored, plan = self._db.hmget(self._key("call", call_id), "record", "plan")
        if stored is None:
            return None
        record = load(stored)
        record.plan = json.loads(plan) if plan else None
        return record

    def journal(self, call_id: str) -> list[Entry]:
        """Return the journal of a call, in order."""
        with self._asking():
            rows = self._db.lrange(self._key("journal", call_id), 0, -1)
        return sorted((Entry(*read_json(row)) for row in rows), key=lambda entry: entry.at)

    def due(self, now: float, limit: int) -> list[str]:
        """Return calls that somebody should look at by now, the longest overdue first."""
        with self._asking():
            found: list[str] = self._db.zrangebyscore(self._key("wake"), "-inf", now, 0, limit)
        return found

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""
        found = self._run(self._in_progress, repr(clock.now()))
        return dict(zip(found[::2], found[1::2], strict=True))

    def calls_to(self, destination: str) -> list[str]:
        """Return the calls that have a leg in progress to a destination."""
        with self._asking():
            members = self._db.zrange(self._key("open", destination), 0, -1)
        return sorted({member.rpartition(" ")[0] for member in members})

    def recent(self, limit: int) -> list[Record]:
        """Return the calls seen last, the newest first."""
        with self._asking():
            calls = self._db.zrevrange(self._key("seen"), 0, limit - 1) if limit else []
            with self._db.pipeline(transaction=False) as pipeline:
                for call_id in calls:
                    pipeline.hget(self._key("call", call_id), "record")
                rows = pipeline.execute()
        return [load(row) for row in rows if row]

    def settings(self, kind: str, now: float) -> list[Setting]:
        """Return the presence or overrides in force, one for each name."""
        return in_force(self.standing(kind, now), now)

    def standing(self, kind: str, now: float) -> list[Setting]:
        """Return all that have not ended, those that begin later too, by name and beginning."""
        return [each for each in self._settings(kind) if not each.has_ended(now)]

    def _settings(self, kind: str) -> list[Setting]:
        with self._asking(), self._db.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._key("settings", kind))
            pipeline.hgetall(self._key("planned", kind))
            at_once, later = pipeline.execute()
        try:
            found = [_setting(name, row) for name, row in at_once.items()]
            for field, row in later.items():
                since, _, name = field.partition(" ")
                found.append(_setting(name, row, float(since)))
        except (ValueError, TypeError) as error:
            raise LedgerError(f"the ledger at {self._place}: {kind} cannot be read") from error
        return sorted(found, key=lambda each: (each.name, each.since is not None, each.since))

    def set(self, kind: str, setting: Setting, now: float) -> None:
        """Set a presence or an override; at once, it takes the place of those that have begun."""
        later = [each for each in self._settings(kind) if each.since is not None]
        gone = [each for each in later if each.has_ended(now)]
        if setting.since is None:
            gone += [each for each in later if each.name == setting.name and each.has_begun(now)]
        with self._asking(), self._db.pipeline() as pipeline:
            for each in gone:
                pipeline.hdel(*self._field(kind, each.name, each.since))
            pipeline.hset(*self._field(kind, setting.name, setting.since), _row(setting))
            pipeline.execute()

    def restore(self, kind: str, setting: Setting) -> None:
        """Set what was set before the data were lost, unless one that begins then is set now."""
        with self._asking():
            self._db.hsetnx(*self._field(kind, setting.name, setting.since), _row(setting))

    def clear(self, kind: str, name: str, *since: float | None) -> bool:
        """Take back what was set for a name, or only what begins then; return whether any was."""
        known = [each.since for each in self._settings(kind) if each.name == name]
        with self._asking(), self._db.pipeline() as pipeline:
            for each in known:
                if not since or each in since:
                    pipeline.hdel(*self._field(kind, name, each))
            return any(pipeline.execute())

    def _field(self, kind: str, name: str, since: float | None) -> tuple[str, str]:
        """Return the key and field of a setting; what begins later has a key of its own.

        A service that does not know of later beginnings does not look there.
        """
        if since is None:
            return self._key("settings", kind), name
        return self._key("planned", kind), f"{since!r} {name}"

    def slot(self, key: str, gap: float, now: float, within: float) -> float | None:
        """Return the next free moment for a paced request, and take it."""
        moments = [repr(float(moment)) for moment in (now, within, gap)]
        slot = self._run(self._slot, key, *moments, _PACE_KEPT)
        return None if slot is None else float(slot)

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant, some at a time; return how many."""
        pruned = 0
        while True:
            count = int(self._run(self._prune, repr(float(before)), _PRUNED_AT_ONCE))
            pruned += count
            if count < _PRUNED_AT_ONCE:
                return pruned

    def versions(self, call_ids: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Return the version of each record, 0 for a call that is not known, and if it is ours."""
        found: dict[str, tuple[int, bool]] = {}
        for start in range(0, len(call_ids), _AT_ONCE):
            some = call_ids[start : start + _AT_ONCE]
            for call_id, (version, writer) in zip(
                some, self._run(self._versions, *some), strict=True
            ):
                found[call_id] = version, writer == self._writer
        return found

    def written(self) -> Iterator[tuple[str, int] | None]:
        """Yield which call other hosts have written, and its version; None now and then."""
        with self._asking(), self._db.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(self._key("written"))
            while True:
                message = channel.get_message(timeout=_PATIENCE)
                yield self._news(message["data"]) if message else None

    def _news(self, text: str) -> tuple[str, int] | None:
        writer, version, call_id = text.split(" ", 2)
        return (call_id, int(version)) if writer != self._writer else None

    def mark(self) -> str:
        """Return what stays the same until this Redis has lost its data."""
        key = self._key("mark")
        with self._asking():
            self._db.set(key, secrets.token_hex(8), nx=True)
            return str(self._db.get(key))

    def tidy(self) -> None:
        """Do nothing: Redis looks after itself."""

    def clock(self) -> float:
        """Return the time by the server's own clock, in epoch seconds."""
        with self._asking():
            seconds, microseconds = self._db.time()
        return float(seconds + microseconds / 1e6)

    def ping(self) -> None:
        """Raise LedgerError if the ledger cannot be written."""
        with self._asking():
            self._db.set(self._key("ping"), 1, px=1000)

    def close(self) -> None:
        """Close the connections that nobody is using."""
        self._db.connection_pool.pool.close()

    def _key(self, *names: str) -> str:
        return self._prefix + ":".join(names)

    def _run(self, script: Any, *values: object) -> Any:
        with self._asking():
            return script(args=[self._prefix, *values])

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            because = _because(error, self._secrets)
            raise LedgerError(f"the ledger at {self._place}: {because}") from None
        except UnicodeDecodeError:  # nothing of ours wrote that
            message = f"the ledger at {self._place}: what it holds is no text"
            raise LedgerError(message) from None


class _Connections(LifoQueue[Any]):
    """The connections that are free; those that one burst needed and nobody since are closed.

    Who waits for one goes on waiting while others are served. While nobody is, Redis is away. In a
    service this is gevent's queue, which has no lock and needs none; elsewhere it is Python's.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._served = 0

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return a connection, or None where one can be made; raise Empty after too long."""
        end = time.monotonic() + _LONGEST_TURN
        while True:
            served = self._served
            try:
                return super().get(block, timeout)
            except Empty:
                if not block or served == self._served or time.monotonic() > end:
                    raise

    def _put(self, item: Any) -> None:
        """Take a connection back; nobody can take one meanwhile."""
        now = time.monotonic()
        if item is not None and item.is_connected:
            item.free_since = now
            self._served += 1
        super()._put(item)
        for each in self.queue:
            if each is not None and each.is_connected and now - each.free_since > _IDLE:
                each.disconnect()

    def close(self) -> None:
        """Close all that are free."""
        free = []
        with suppress(Empty):
            while True:
                free.append(self.get_nowait())
        for each in reversed(free):
            if each is not None:
                each.disconnect()
            self.put_nowait(each)


def _connect(url: str, place: str, tls: str) -> Any:
    """Return a client whose connections are made when they are needed.

    A request is repeated once on a fresh connection if its own was cut, as all are by a restart:
    each one here does no more when it is done twice. One that is not answered is not repeated.
    """
    options: dict[str, Any] = {"max_connections": _CONNECTIONS}  # unless the URL says otherwise
    if url.startswith("rediss:") and tls != "verify":
        options |= {"ssl_cert_reqs": "none"} if tls == "off" else {"ssl_ca_certs": tls}
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            **options,
            queue_class=_Connections,
            timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_CONNECTING,
            health_check_interval=_CHECKED,
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
            protocol=2,
            decode_responses=True,
            encoding_errors="surrogatepass",
        )
    except (ValueError, TypeError):
        # The error would show the URL, and the password in it.
        raise LedgerError(f"the ledger's URL for {place} cannot be understood") from None
    return redis.Redis(connection_pool=pool)


def _row(setting: Setting) -> str:
    return json.dumps([setting.value, setting.until])


def _setting(name: str, row: str, since: float | None = None) -> Setting:
    value, until = json.loads(row)
    return Setting(name, value, until, since)


def _place(url: str) -> str:
    """Return host and port of a URL, for messages."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port or 6379
    except ValueError:
        return "an unreadable address"
    return f"{host}:{port}"


def _secrets(url: str) -> list[str]:
    """Return what no message may show, as the URL and as Redis have it; the longest comes first."""
    try:
        parts = urlsplit(url)
        given = [unquote(each) for each in (parts.username, parts.password) if each]
    except ValueError:
        return []
    return sorted({*given, *map(quote, given)}, key=len, reverse=True)


def _because(error: redis.RedisError, secret_texts: list[str]) -> str:
    if isinstance(error, redis.AuthenticationError):
        return "the credentials are refused"
    because = _certificate_error(error)
    if because:
        return (
            f"its certificate is not trusted ({because}); set REDIS_TLS to the path of a file with "
            "the CA's certificate, or to off if it is self-signed, as on Heroku"
        )
    text = str(error) or type(error).__name__
    for each in secret_texts:
        text = text.replace(each, "***")
    return text


def _certificate_error(error: BaseException | None) -> str | None:
    """Return why a certificate was refused, if that is what an error comes from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None
