"""The engine's state as the app knows it: a value, and what each event makes of it.

No Qt and no process in here: `advance` is a pure function from a session and an event to the next
session, so that every order of events can be tried out by a test. The controller keeps the current
value and shows it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from engine.errors import Problem
from engine.settings import EngineSettings
from engine.worker.protocol import (
    BuildInfo,
    Delta,
    DeviceInfo,
    Ejected,
    Event,
    Failed,
    Finished,
    Hello,
    Loaded,
    LoadProgress,
    PrefillProgress,
)


class State(StrEnum):
    """Where the engine is."""

    OFF = "off"
    STARTING = "starting"
    IDLE = "idle"
    LOADING = "loading"
    READY = "ready"
    READING = "reading"
    WRITING = "writing"
    EJECTING = "ejecting"
    DIED = "died"


ANSWERING = (State.READING, State.WRITING)
ALIVE = (State.IDLE, State.LOADING, State.READY, State.READING, State.WRITING, State.EJECTING)

# What the worker is doing, in words that end a sentence about its death.
PHASES = {
    State.OFF: "",
    State.STARTING: "while starting",
    State.IDLE: "while idle",
    State.LOADING: "while loading the model",
    State.READY: "while waiting for a question",
    State.READING: "while reading",
    State.WRITING: "while writing",
    State.EJECTING: "while unloading",
    State.DIED: "",
}


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of the engine.

    Attributes:
        request_id: The load or reply that is going on; 0 for none.
        wanted: Settings that are being loaded, or were last loaded; what a restart uses.
        loaded: The model that is ready, None without one.
        load_progress: Newest progress while loading.
        prefill: Newest progress while reading.
        problem: Why the last load failed or the worker died; None when all is well.
    """

    state: State = State.OFF
    request_id: int = 0
    wanted: EngineSettings | None = None
    loaded: Loaded | None = None
    build: BuildInfo | None = None
    devices: tuple[DeviceInfo, ...] = ()
    load_progress: LoadProgress | None = None
    prefill: PrefillProgress | None = None
    problem: Problem | None = None

    @property
    def can_answer(self) -> bool:
        """Whether a question can be sent to the worker now."""
        return self.state is State.READY

    @property
    def is_answering(self) -> bool:
        """Whether a reply is being read for or written."""
        return self.state in ANSWERING

    @property
    def phase(self) -> str:
        """What it is doing, in words that end a sentence."""
        return PHASES[self.state]


def starting(session: Session, wanted: EngineSettings | None = None) -> Session:
    """A worker process is being started, for these settings if any are given."""
    return Session(state=State.STARTING, wanted=wanted or session.wanted)


def loading(session: Session, request_id: int, settings: EngineSettings) -> Session:
    """A load was asked for. While the worker is still starting it waits there."""
    state = State.LOADING if session.state is not State.STARTING else State.STARTING
    return _replaced(
        session,
        state=state,
        request_id=request_id,
        wanted=settings,
        problem=None,
        load_progress=None,
    )


def ejecting(session: Session, request_id: int) -> Session:
    """The model is to be freed."""
    return _replaced(session, state=State.EJECTING, request_id=request_id)


def answering(session: Session, request_id: int) -> Session:
    """A question was sent."""
    return _replaced(
        session, state=State.READING, request_id=request_id, prefill=None, problem=None
    )


def died(session: Session, problem: Problem | None) -> Session:
    """The worker is gone; None when it was asked to go."""
    state = State.DIED if problem else State.OFF
    return Session(state=state, wanted=session.wanted, problem=problem)


def advance(session: Session, event: Event) -> Session:
    """What an event makes of a session. Events of other requests change nothing."""
    match event:
        case Hello():
            if session.state is not State.STARTING:
                return session
            state = State.LOADING if session.request_id else State.IDLE
            return _replaced(session, state=state, build=event.build, devices=event.devices)
        case Loaded() | LoadProgress() | Ejected() | Failed() | Finished():
            if event.request_id != session.request_id or session.state not in ALIVE:
                return session
            return _of_request(session, event)
        case PrefillProgress() | Delta():
            if event.request_id != session.request_id or not session.is_answering:
                return session
            return _of_reply(session, event)
        case _:
            return session


def _of_request(
    session: Session, event: Loaded | LoadProgress | Ejected | Failed | Finished
) -> Session:
    match event:
        case LoadProgress() if session.state is State.LOADING:
            return _replaced(session, load_progress=event)
        case Loaded() if session.state is State.LOADING:
            return _replaced(
                session,
                state=State.READY,
                request_id=0,
                loaded=event,
                wanted=event.settings,
                load_progress=None,
                problem=None,
            )
        case Ejected() if session.state is State.EJECTING:
            return _replaced(session, state=State.IDLE, request_id=0, loaded=None)
        case Finished() if session.is_answering:
            return _replaced(session, state=State.READY, request_id=0, prefill=None)
        case Failed():
            return _failed(session, event)
        case _:
            # An answer to something else than what is going on.
            return session


def _failed(session: Session, event: Failed) -> Session:
    if session.is_answering:
        return _replaced(session, state=State.READY, request_id=0, prefill=None)
    if event.model_kept and session.loaded is not None:
        # Settings that were refused leave the model as it was.
        return _replaced(
            session,
            state=State.READY,
            request_id=0,
            wanted=session.loaded.settings,
            load_progress=None,
        )
    # Another model was asked for: the old one was freed before the new one was opened.
    shown = None if event.problem.code == "worker.cancelled" else event.problem
    return _replaced(
        session,
        state=State.IDLE,
        request_id=0,
        loaded=None,
        load_progress=None,
        problem=shown,
    )


def _of_reply(session: Session, event: PrefillProgress | Delta) -> Session:
    if isinstance(event, Delta):
        return (
            session if session.state is State.WRITING else _replaced(session, state=State.WRITING)
        )
    return _replaced(session, prefill=event)


def _replaced(session: Session, **changes: object) -> Session:
    return msgspec.structs.replace(session, **changes)
