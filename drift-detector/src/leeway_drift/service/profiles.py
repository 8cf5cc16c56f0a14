"""Fetching the drift profile of a version from its bundle, and keeping it by its digest."""

import hashlib
import json
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx

from leeway_drift.detectors.interface import Detector, Reference
from leeway_drift.profile import Profile, ProfileError
from leeway_drift.reading.events import Stream
from leeway_drift.service.config import WindowConfig
from leeway_drift.service.files import write_atomically
from leeway_drift.service.pace import Pace
from leeway_drift.service.pods import NoAnswer, TooLong, get
from leeway_drift.streaming.judging import Rules

logger = logging.getLogger(__name__)

PROFILE = "drift-profile.json"
REFERENCE = "drift-reference.npz"
MANIFEST_BYTES = 2**20
PROFILE_BYTES = 8 * 2**20
REFERENCE_BYTES = 64 * 2**20

FIRST_RETRY_SECONDS = 2.0
LAST_RETRY_SECONDS = 300.0

State = Literal["loaded", "absent", "refused", "pending"]


class Absent(Exception):  # noqa: N818 - it says what is the case
    """There is no profile to be had; the message says where it was looked for."""


class Refused(Exception):  # noqa: N818 - it says what is the case
    """There is a profile and it must not be used; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A profile that was fetched and verified.

    Attributes:
        digest: SHA-256 of its bytes in hex.
        bundle: digest of the bundle it belongs to, as its servers name it.
        profile: parsed.
        manifest: of the bundle.
        reference: the bundle's sample of raw rows, None if it has none.
    """

    digest: str
    bundle: str
    profile: Profile
    manifest: Mapping[str, Any]
    reference: bytes | None

    @property
    def has_reference(self) -> bool:
        """Whether the bundle has a sample of raw rows."""
        files = self.manifest.get("files")
        return isinstance(files, dict) and REFERENCE in files


@dataclass(frozen=True, slots=True, eq=False)
class ProfileState:
    """What is known of a version's profile.

    Attributes:
        state: only ``loaded`` lets anything be judged.
        reason: why it is not loaded, None if it is.
        loaded: if it is.
    """

    state: State
    reason: str | None
    loaded: Loaded | None = None


NOT_FETCHED = ProfileState("pending", "the profile is being fetched from the version's bundle")


class Fetch(Protocol):
    """Gets a file of a bundle."""

    def __call__(self, namespace: str, inferenceservice: str, name: str, limit: int) -> bytes:
        """The file's bytes, ``limit`` at most.

        Raises:
            Absent: there is no such file or no bundle.
        """


def http_fetch(client: httpx.Client) -> Fetch:
    """Gets files by HTTP from the Service that the operator makes for a slot's pods, past KServe's agent."""

    def fetch(namespace: str, inferenceservice: str, name: str, limit: int) -> bytes:
        url = f"http://{inferenceservice}-bundle.{namespace}.svc:8080/bundle/{name}"
        try:
            return get(client, url, limit)
        except NoAnswer as error:
            raise Absent(str(error)) from error
        except TooLong as error:
            raise Refused(str(error)) from error

    return fetch


class ProfileSource:
    """Profiles by version, each verified against the manifest it came with.

    Args:
        fetch: gets a file of a bundle.
        directory: keeps profiles by digest.
        with_reference: whether the sample of raw rows is fetched, too.
    """

    def __init__(self, fetch: Fetch, directory: Path, *, with_reference: bool) -> None:
        self._fetch = fetch
        self._directory = directory
        self._with_reference = with_reference

    def load(self, stream: Stream, inferenceservice: str) -> ProfileState:
        """Fetch the profile of a version from the slot it runs in; what is wrong becomes the state's reason."""
        try:
            return ProfileState("loaded", None, self._load(stream, inferenceservice))
        except Absent as error:
            return ProfileState("absent", str(error))
        except Refused as error:
            return ProfileState("refused", str(error))

    def _load(self, stream: Stream, inferenceservice: str) -> Loaded:
        raw = self._fetch(stream.namespace, inferenceservice, "manifest.json", MANIFEST_BYTES)
        manifest = _object("manifest.json", raw)
        if (version := manifest.get("version")) != stream.version:
            raise Absent(f"{inferenceservice} serves the bundle of version {version!r:.80}, not of {stream.version!r}")
        body = self._file(stream, inferenceservice, manifest, PROFILE, PROFILE_BYTES)
        if body is None:
            raise Absent(f"the bundle of {inferenceservice} has no {PROFILE}")
        reference = None
        if self._with_reference:
            reference = self._file(stream, inferenceservice, manifest, REFERENCE, REFERENCE_BYTES)
        loaded = _parse(body, manifest, reference)
        self._keep(loaded, body)
        return loaded

    def _file(
        self, stream: Stream, inferenceservice: str, manifest: Mapping[str, Any], name: str, limit: int
    ) -> bytes | None:
        files = manifest.get("files")
        listed = files.get(name) if isinstance(files, dict) else None
        if listed is None:
            return None
        expected = listed.get("sha256") if isinstance(listed, dict) else None
        body = self._fetch(stream.namespace, inferenceservice, name, limit)
        if (actual := hashlib.sha256(body).hexdigest()) != expected:
            raise Refused(f"{name} has the SHA-256 {actual}, its manifest says {expected!r:.80}")
        return body

    def _keep(self, loaded: Loaded, body: bytes) -> None:
        path = self._directory / f"{loaded.digest}.json"
        manifest = self._directory / f"{loaded.digest}.manifest.json"
        try:
            if not path.exists():
                self._directory.mkdir(parents=True, exist_ok=True)
                write_atomically(manifest, json.dumps(loaded.manifest).encode())
                write_atomically(path, body)
        except OSError as error:  # it is fetched again after a restart
            logger.warning("the profile cannot be kept", extra={"error": str(error), "fields": {"path": str(path)}})

    def kept(self, digest: str) -> Loaded | None:
        """A profile from before a restart, None if it is not kept or not what it was; the reference is not kept."""
        try:
            body = (self._directory / f"{digest}.json").read_bytes()
            manifest = json.loads((self._directory / f"{digest}.manifest.json").read_bytes())
            if hashlib.sha256(body).hexdigest() != digest:
                return None
            return _parse(body, manifest, None)
        except (OSError, ValueError, Refused):
            return None


def _object(name: str, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is no JSON: {error!s:.200}") from error
    if not isinstance(document, dict):
        raise Refused(f"{name} is no JSON object")
    return document


def _parse(body: bytes, manifest: Mapping[str, Any], reference: bytes | None) -> Loaded:
    try:
        profile = Profile.parse(_object(PROFILE, body))
    except ProfileError as error:
        raise Refused(f"{PROFILE}: {error!s:.300}") from error
    return Loaded(hashlib.sha256(body).hexdigest(), _bundle_digest(manifest), profile, manifest, reference)


def _bundle_digest(manifest: Mapping[str, Any]) -> str:
    """The name of a bundle: ``sha256:`` and the SHA-256 of its manifest's canonical JSON."""
    try:
        canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    except ValueError as error:  # NaN, or half a surrogate pair
        raise Refused(f"manifest.json has no canonical form: {error!s:.200}") from error


def rules_of(
    loaded: Loaded, overrides: WindowConfig, detectors: Callable[[Profile], Sequence[Detector]], awaited: Sequence[str]
) -> Rules:
    """What the core needs of a profile.

    Args:
        loaded: the profile.
        overrides: of its window.
        detectors: makes those that judge counts.
        awaited: names of those that a backend judges, in place of one on counts of the same name.
    """
    profile = loaded.profile
    return Rules(
        digest=loaded.digest,
        plan=profile.plan,
        window_rows=overrides.rows or profile.window_rows,
        window_seconds=overrides.seconds or profile.window_seconds,
        detectors=[detector for detector in detectors(profile) if detector.name not in awaited],
        awaited=[(name, Reference.TRAINING) for name in awaited],
        until=math.inf if profile.span is None else profile.span[1].timestamp(),
    )


@dataclass(slots=True)
class _Attempt:
    pace: Pace = field(default_factory=lambda: Pace(FIRST_RETRY_SECONDS))
    wait: float = FIRST_RETRY_SECONDS


class ProfileFetcher:
    """A thread that fetches what is wanted, again and again while events come, less and less often.

    Args:
        source: of profiles.
        wanted: (stream, InferenceService) of versions that have events and no profile, or one of another bundle.
        found: takes what was found; called by this thread.
        clock: seconds.
    """

    def __init__(
        self,
        source: ProfileSource,
        wanted: Callable[[], Sequence[tuple[Stream, str]]],
        found: Callable[[Stream, ProfileState], None],
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._found = found
        self._clock = clock
        self._attempts: dict[tuple[Stream, str], _Attempt] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profiles", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request that is under way."""
        self._stopping.set()
        self._thread.join()

    def fetch_due(self) -> None:
        """Fetch what is wanted and due; the thread does so every second."""
        now = self._clock()
        wanted = self._wanted()
        self._attempts = {key: attempt for key, attempt in self._attempts.items() if key in wanted}
        for stream, inferenceservice in wanted:
            attempt = self._attempts.setdefault((stream, inferenceservice), _Attempt())
            if self._stopping.is_set() or not attempt.pace.due(now):
                continue
            attempt.pace.slow_down(attempt.wait)
            attempt.wait = min(attempt.wait * 2, LAST_RETRY_SECONDS)
            self._found(stream, self._source.load(stream, inferenceservice))

    def _run(self) -> None:
        while not self._stopping.wait(1.0):
            try:
                self.fetch_due()
            except Exception:  # a fault of our own must not end all fetching; it is logged and tried again
                logger.exception("fetching profiles failed")
