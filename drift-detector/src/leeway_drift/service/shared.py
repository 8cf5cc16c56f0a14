"""What replicas keep in Redis or Valkey: counts of closed ticks, who evaluates, and the evaluator's windows.

All keys have one hash tag, so that a cluster keeps them together and a script reaches them all. What must not be torn
apart is one script, and each does the same when it is sent a second time because the answer to the first was lost.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from leeway_drift.reading.events import Stream
from leeway_drift.streaming.common import Answered
from leeway_drift.streaming.parts import Part
from leeway_drift.streaming.shards import Handed, Replica, part_document
from leeway_drift.streaming.snapshots import Document

LEASE_SECONDS = 10
"""An evaluator that has not renewed its lease for so long is replaced."""
KEPT_TICKS = 360
KEPT_SECONDS = 3600
"""For which what was handed in waits for an evaluator; as many ticks as that are."""
STATE_SECONDS = 26 * 3600
"""For which windows are kept when nobody evaluates; a daily batch keeps them."""
ANSWERED_WITHIN = 2.0
PARTS_AT_ONCE = 64

_PREFIX = "{leeway-drift}:"
_LEASE, _TERM, _SEALED, _CLOSED, _STATE, _EVALUATED, _ANSWERED = (
    _PREFIX + name for name in ("lease", "term", "sealed", "closed", "state", "evaluated", "answered")
)

# A part that is there already was handed in before, even if its tick has been sealed since.
_HAND_IN = """
local sealed = tonumber(redis.call('GET', KEYS[1]) or '-1')
local taken = {}
for i = 3, #KEYS do
  local at = 4 + (i - 3) * 3
  if redis.call('HEXISTS', KEYS[i], ARGV[at + 1]) == 1 then
    taken[#taken + 1] = 1
  elseif tonumber(ARGV[at]) <= sealed then
    taken[#taken + 1] = 0
  else
    redis.call('HSET', KEYS[i], ARGV[at + 1], ARGV[at + 2])
    redis.call('EXPIRE', KEYS[i], ARGV[3])
    taken[#taken + 1] = 1
  end
end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
return taken
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
# Replicas that are behind what is sealed are not waited for until they hand in again.
_SEAL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -2 end
local sealed = math.max(tonumber(redis.call('GET', KEYS[2]) or '-1'), tonumber(ARGV[2]))
redis.call('SET', KEYS[2], string.format('%d', sealed))
local closed = redis.call('HGETALL', KEYS[3])
for i = 1, #closed, 2 do
  if tonumber(closed[i + 1]) < sealed then redis.call('HDEL', KEYS[3], closed[i]) end
end
return sealed
"""
_COMMIT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
"""
# Each replica says what it knows, of others too: the latest stays.
_HEAR = """
for i = 2, #ARGV, 2 do
  local known = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')
  if known < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if tonumber(all[i + 1]) <= tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], all[i]) end
end
return redis.call('HGETALL', KEYS[1])
"""
_RESIGN = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Deposed(Exception):  # noqa: N818 - it says what is the case
    """Another replica evaluates by now; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A part on its way.

    Attributes:
        tick: its index.
        field: names its version and replica: the same part is never there twice.
        payload: compressed JSON.
    """

    tick: int
    field: bytes
    payload: bytes

    @classmethod
    def of(cls, part: Part, replica: Replica) -> "Encoded":
        """Encode a part of this replica's."""
        return cls(part.tick.index, _field(part.stream, replica), _pack(part_document(part)))


class Lease(NamedTuple):
    """The right to evaluate.

    Attributes:
        term: one more than that of any lease before.
        replica: who has it.
        address: where that one answers.
    """

    term: int
    replica: Replica
    address: str

    @property
    def value(self) -> str:
        """As it is kept."""
        return f"{self.term} {self.replica} {self.address}"


class SharedCounts:
    """The keys.

    Args:
        client: of a Redis or Valkey whose database is this detector's alone.

    Every method raises ``redis.RedisError`` if it cannot be reached.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._hand_in = client.register_script(_HAND_IN)
        self._renew = client.register_script(_RENEW)
        self._seal = client.register_script(_SEAL)
        self._commit = client.register_script(_COMMIT)
        self._hear = client.register_script(_HEAR)
        self._resign = client.register_script(_RESIGN)

    @classmethod
    def connect(cls, url: str) -> "SharedCounts":
        """Of the database that a URL (``redis://``, ``rediss://``) names; nothing is sent yet.

        Raises:
            ValueError: it is none.
        """
        client = redis.Redis.from_url(
            url,
            socket_timeout=ANSWERED_WITHIN,
            socket_connect_timeout=ANSWERED_WITHIN,
            retry=Retry(NoBackoff(), 1),
        )
        return cls(client)

    def hand_in(self, replica: Replica, parts: Sequence[Encoded], closed: int | None) -> list[bool]:
        """Add parts, and say up to which tick these were all; which of them are in, and not too late."""
        taken = self._hand_in(
            keys=[_SEALED, _CLOSED, *(_tick(part.tick) for part in parts)],
            args=[
                replica,
                "" if closed is None else closed,
                KEPT_SECONDS,
                *(value for part in parts for value in (part.tick, part.field, part.payload)),
            ],
        )
        return [bool(one) for one in cast("list[int]", taken)]

    def hear(self, answered: Answered, since: float) -> Answered:
        """Say when slots had their latest request here, and read when they had it anywhere, after this time."""
        args = [value for (stream, slot), at in answered.items() for value in (_field(stream, slot), at)]
        known = iter(cast("list[bytes]", self._hear(keys=[_ANSWERED], args=[since, *args])))
        return {
            (Stream(*names), slot): float(at)
            for field, at in zip(known, known, strict=True)
            for *names, slot in [orjson.loads(field)]
        }

    def withdraw(self, replica: Replica) -> None:
        """Nobody has to wait for this replica any more."""
        self._client.hdel(_CLOSED, replica)

    def campaign(self, replica: Replica, address: str) -> Lease | None:
        """Get the lease if nobody has it."""
        if self._client.exists(_LEASE):
            return None
        lease = Lease(self._client.incr(_TERM), replica, address)
        won = self._client.set(_LEASE, lease.value, nx=True, px=LEASE_SECONDS * 1000)
        return lease if won else None

    def renew(self, lease: Lease) -> bool:
        """Keep the lease; False if it is lost."""
        return bool(self._renew(keys=[_LEASE], args=[lease.value, LEASE_SECONDS * 1000]))

    def resign(self, lease: Lease) -> None:
        """Give the lease back."""
        self._resign(keys=[_LEASE], args=[lease.value])

    def evaluator(self) -> str | None:
        """Address of who has the lease, None if nobody has."""
        value = cast("bytes | None", self._client.get(_LEASE))
        return None if value is None else value.decode().split(" ", 2)[2]

    def closed(self) -> dict[Replica, int]:
        """The tick up to which each replica has handed in all."""
        known = cast("Mapping[bytes, bytes]", self._client.hgetall(_CLOSED))
        return {replica.decode(): int(tick) for replica, tick in known.items()}

    def seal(self, lease: Lease, tick: int) -> int:
        """Refuse parts up to this tick from now on; returns the last tick that is sealed.

        Raises:
            Deposed: the lease is lost.
        """
        sealed = cast("int", self._seal(keys=[_LEASE, _SEALED, _CLOSED], args=[lease.value, tick]))
        if sealed < -1:
            raise Deposed
        return sealed

    def read(self, after: int, until: int) -> dict[Stream, Handed]:
        """What was handed in for the ticks after one and up to another, the last ``KEPT_TICKS`` of them."""
        ticks = range(max(after, until - KEPT_TICKS) + 1, until + 1)
        pipeline = self._client.pipeline(transaction=False)
        for tick in ticks:
            pipeline.hgetall(_tick(tick))
        found: dict[Stream, dict[int, dict[Replica, Any]]] = {}
        for tick, parts in zip(ticks, cast("list[Mapping[bytes, bytes]]", pipeline.execute()), strict=True):
            for field, payload in parts.items():
                namespace, model, version, replica = orjson.loads(field)
                ticks_of = found.setdefault(Stream(namespace, model, version), {})
                ticks_of.setdefault(tick, {})[replica] = _unpack(payload)
        return dict(found)

    def saved(self) -> tuple[int, dict[Stream, Document]]:
        """How far evaluators have come, -1 if there was none, and the states they have saved."""
        evaluated = cast("bytes | None", self._client.get(_EVALUATED))
        states = cast("Mapping[bytes, bytes]", self._client.hgetall(_STATE))
        found = {Stream(*orjson.loads(field)): _unpack(payload) for field, payload in states.items()}
        return -1 if evaluated is None else int(evaluated), found

    def commit(self, lease: Lease, evaluated: int, states: Mapping[Stream, Document]) -> None:
        """Save states together with how far they have come.

        Raises:
            Deposed: the lease is lost.
        """
        fields = [part for stream, state in states.items() for part in (_field(stream), _pack(state))]
        args: list[str | int | bytes] = [lease.value, evaluated, STATE_SECONDS, *fields]
        if not self._commit(keys=[_LEASE, _EVALUATED, _STATE], args=args):
            raise Deposed

    def forget(self, streams: Iterable[Stream]) -> None:
        """Delete states."""
        fields = [_field(stream) for stream in streams]
        if fields:
            self._client.hdel(_STATE, *cast("list[str]", fields))


def _field(stream: Stream, *more: str) -> bytes:
    return orjson.dumps([stream.namespace, stream.model, stream.version, *more])


def _tick(index: int) -> str:
    return f"{_PREFIX}tick:{index}"


def _pack(document: Document) -> bytes:
    return zlib.compress(orjson.dumps(document), level=1)


def _unpack(payload: bytes) -> Any:
    try:
        return orjson.loads(zlib.decompress(payload))
    except (zlib.error, ValueError):
        return None  # what is no document is refused, and counted, where documents are read
