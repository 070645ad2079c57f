"""The engine's state under every order of events, without a process."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app import session as sessions
from app.session import ALIVE, Session, State, advance
from engine.errors import Problem
from engine.settings import EngineSettings
from engine.worker.protocol import (
    BuildInfo,
    Delta,
    Ejected,
    Event,
    Failed,
    Finished,
    Hello,
    LoadProgress,
    PrefillProgress,
    Usage,
)
from tests.support.faulty_worker import loaded

SETTINGS = EngineSettings(model_path="m")
BUILD = BuildInfo(llama_cpp_python="0", backends=(), system_info="", physical_cores=1)
HELLO = Hello(protocol_version=1, pid=1, build=BUILD, devices=())
USAGE = Usage(prompt_tokens=1, cached_tokens=0, completion_tokens=1)


def delta(request_id: int) -> Delta:
    return Delta(
        request_id=request_id, text="x", thinking=False, completion_tokens=1, context_used=2
    )


def finished(request_id: int) -> Finished:
    return Finished(
        request_id=request_id, stop_reason="end", usage=USAGE, context_used=2, n_ctx=512
    )


def ready() -> Session:
    session = advance(sessions.starting(Session()), HELLO)
    return advance(sessions.loading(session, 1, SETTINGS), loaded(1, SETTINGS))


def test_a_load_waits_for_the_worker_to_start() -> None:
    session = sessions.loading(sessions.starting(Session()), 1, SETTINGS)
    assert session.state is State.STARTING
    assert advance(session, HELLO).state is State.LOADING


def test_a_reply_goes_through_reading_and_writing() -> None:
    session = sessions.answering(ready(), 2)
    assert session.state is State.READING
    session = advance(session, PrefillProgress(request_id=2, done=1, total=2, cached=0))
    assert session.prefill is not None
    session = advance(session, delta(2))
    assert session.state is State.WRITING
    assert advance(session, finished(2)).state is State.READY


def test_late_events_of_another_request_change_nothing() -> None:
    session = sessions.answering(ready(), 5)
    assert advance(session, delta(4)) is session
    assert advance(session, finished(4)) is session


def test_a_failed_reply_keeps_the_model() -> None:
    session = sessions.answering(ready(), 2)
    after = advance(session, Failed(request_id=2, problem=Problem(code="worker.bug")))
    assert after.state is State.READY
    assert after.loaded is not None


def test_a_cancelled_load_is_no_problem_but_leaves_no_model() -> None:
    session = sessions.loading(ready(), 3, SETTINGS)
    after = advance(session, Failed(request_id=3, problem=Problem(code="worker.cancelled")))
    assert after.state is State.IDLE
    assert after.loaded is None
    assert after.problem is None


def test_refused_settings_leave_the_model_as_it_was() -> None:
    session = sessions.loading(ready(), 3, EngineSettings(model_path="m", n_ctx=1 << 24))
    problem = Problem(code="engine.context_too_large")
    after = advance(session, Failed(request_id=3, problem=problem, model_kept=True))
    assert after.can_answer
    assert after.wanted == SETTINGS


def test_death_remembers_what_was_wanted() -> None:
    session = sessions.died(ready(), Problem(code="worker.killed"))
    assert session.state is State.DIED
    assert session.wanted == SETTINGS
    assert session.loaded is None


IDS = st.integers(1, 3)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.just(HELLO),
    IDS.map(
        lambda i: LoadProgress(
            request_id=i, phase="weights", fraction=0.5, total_bytes=1, elapsed_s=0.0
        )
    ),
    IDS.map(lambda i: loaded(i, SETTINGS)),
    IDS.map(lambda i: Ejected(request_id=i)),
    IDS.map(lambda i: PrefillProgress(request_id=i, done=1, total=2, cached=0)),
    IDS.map(delta),
    IDS.map(finished),
    IDS.map(lambda i: Failed(request_id=i, problem=Problem(code="worker.bug"))),
)
STEPS = st.one_of(
    EVENTS.map(lambda event: lambda s: advance(s, event)),
    IDS.map(
        lambda i: (
            lambda s: (
                sessions.loading(s, i, SETTINGS)
                if s.state in (State.IDLE, State.READY, State.STARTING)
                else s
            )
        )
    ),
    IDS.map(lambda i: lambda s: sessions.answering(s, i) if s.can_answer else s),
    IDS.map(lambda i: lambda s: sessions.ejecting(s, i) if s.state is State.READY else s),
    st.just(lambda s: sessions.died(s, Problem(code="worker.killed"))),
    st.just(sessions.starting),
)


@settings(max_examples=1000)
@given(steps=st.lists(STEPS, max_size=40))
def test_what_holds_after_any_order_of_events(steps: list) -> None:  # type: ignore[type-arg]
    session = Session()
    for step in steps:
        session = step(session)
        assert (session.state in (State.READY, State.READING, State.WRITING)) <= (
            session.loaded is not None
        ), "it claims to answer without a model"
        assert session.is_answering <= (session.request_id != 0)
        assert (session.state is State.DIED) == (
            session.problem is not None and session.state not in (*ALIVE, State.STARTING)
        )
        if session.state in (State.OFF, State.DIED, State.STARTING):
            assert session.loaded is None
        assert session.phase or session.state in (State.OFF, State.DIED)
