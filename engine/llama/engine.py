"""The engine that a worker process drives: one model, one context, one reply at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.errors import Problem, UserError
from engine.llama.abort import AbortFlag
from engine.llama.bench import BenchRun
from engine.llama.context import Context
from engine.llama.devices import Devices
from engine.llama.draft_model import opened_draft, renewed_draft
from engine.llama.generation import Generation
from engine.llama.guard import refuse_what_fails
from engine.llama.heartbeat import heartbeat
from engine.llama.library import api, binding_version
from engine.llama.loaded import Loaded
from engine.llama.measure import PrefillPace, PromptMeasure
from engine.llama.model import Model
from engine.llama.outcome import Cancelled, LoadOutcome
from engine.llama.overflow import fit
from engine.llama.placement import divided
from engine.llama.prefill import SliceControl
from engine.llama.projector import opened_projector, shares_now
from engine.llama.prompt import PromptLayout
from engine.llama.reuse import KvLedger
from engine.llama.templates import chat_template
from engine.llama.threads import default_threads
from engine.llama.vocabulary import Vocabulary
from engine.models.projector import projector_of
from engine.settings import Cost, cost_of
from engine.worker.protocol import BuildInfo, Removed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.llama.devices import Device
    from engine.llama.model import LoadProgress
    from engine.settings import EngineSettings, GenerationSettings
    from engine.worker.protocol import (
        Bench,
        BenchResult,
        DeviceInfo,
        Finished,
        Measured,
        Prompt,
        ReplyEvent,
    )

__all__ = ["Cancelled", "Engine", "LoadOutcome"]


class Engine:
    """Owns a loaded model. All calls on one thread; only `measure` and `count` may come meanwhile.

    The caller keeps `measure` and `count` away while `load`, `eject` or `close` runs.

    Attributes:
        abort: Stops the call that runs, from any thread; the caller raises and lowers it.
    """

    def __init__(self) -> None:
        self.abort = AbortFlag()
        self._devices = Devices()
        self._loaded: Loaded | None = None

    def build_info(self) -> BuildInfo:
        """What llama.cpp was built with and how many threads it will use."""
        native, threads = api(), default_threads()
        backends = {device.info.backend for device in self._devices.all()}
        return BuildInfo(
            llama_cpp_python=binding_version(),
            backends=tuple(sorted(backends - {""})),
            system_info=native.llama_print_system_info().decode("utf-8", "replace").strip(),
            physical_cores=threads.count,
            threads_reason=threads.reason,
        )

    def devices(self) -> tuple[DeviceInfo, ...]:
        """The devices of this machine, and remote ones that were asked for."""
        return tuple(device.info for device in self._devices.all())

    # ---- loading

    @property
    def has_model(self) -> bool:
        """Whether a model is loaded."""
        return self._loaded is not None

    def load(
        self,
        settings: EngineSettings,
        *,
        progress: LoadProgress,
        shares: tuple[int, ...] = (),
    ) -> LoadOutcome:
        """Load a model, or apply changed settings to the loaded one at the least cost.

        Args:
            settings: What is wanted.
            progress: Told phase, fraction and bytes in all; False cancels.
            shares: What a layer split without a ratio divides by; by default what is free.

        Raises:
            UserError: It does not work. A loaded model survives settings that are refused and a
                context that could not be made; it is gone when llama.cpp fails to load another.
            Cancelled: `progress` returned False, or `abort` is up. Nothing is loaded then, or what
                was, where only its context was to change.
        """
        loaded = self._loaded
        notices: tuple[Problem, ...] = ()
        if loaded is None or cost_of(loaded.settings, settings) is Cost.RELOAD:
            devices = self._devices.chosen(settings.devices)
            refuse_what_fails(settings, devices)
            self._devices.chosen(settings.draft_devices)
            # Only now: what is refused leaves the model, and what it has read, as they are.
            self.eject()
            loaded = self._loaded = self._open(settings, devices, progress, shares)
        else:
            notices = self._apply(loaded, settings, progress)
        return LoadOutcome(
            settings=settings,
            model=loaded.model.info(loaded.vocabulary, loaded.template),
            context=loaded.context_info(),
            notices=(*loaded.template.notices, *notices),
        )

    def _open(
        self,
        settings: EngineSettings,
        devices: Sequence[Device],
        progress: LoadProgress,
        shares: tuple[int, ...],
    ) -> Loaded:
        shares = shares or shares_now(devices, projector_of(settings))
        model = Model(divided(settings, shares), devices, progress)
        projector = None
        try:
            projector = opened_projector(settings, model, progress)
            vocabulary = Vocabulary(model.handle)
            template = chat_template(model.handle, vocabulary, settings.chat_template)
            layout = PromptLayout(template, vocabulary)
            if not progress("context", 0.0, model.size_bytes):
                raise Cancelled
            context = self._context(model, vocabulary, settings, progress)
        except BaseException:
            if projector is not None:
                projector.close()
            model.close()
            raise
        loaded = _assembled(settings, model, vocabulary, layout, context)
        loaded.projector = projector
        loaded.shares = () if divided(settings, shares) is settings else shares
        try:
            loaded.draft = opened_draft(loaded, self._devices, progress)
        except BaseException:
            loaded.close()
            raise
        return loaded

    def _context(
        self,
        model: Model,
        vocabulary: Vocabulary,
        settings: EngineSettings,
        progress: LoadProgress,
    ) -> Context:
        context = Context(model, settings, self.abort)
        try:
            if not progress("warmup", 0.0, model.size_bytes):
                raise Cancelled
            with heartbeat(lambda: progress("warmup", 0.5, model.size_bytes)):
                context.warm_up(vocabulary.bos if vocabulary.bos is not None else 0)
        except BaseException:
            context.close()
            raise
        return context

    def _apply(
        self, loaded: Loaded, settings: EngineSettings, progress: LoadProgress
    ) -> tuple[Problem, ...]:
        cost = cost_of(loaded.settings, settings)
        notices: tuple[Problem, ...] = ()
        if cost is Cost.CONTEXT:
            refuse_what_fails(settings, self._devices.chosen(settings.devices))
        if settings.chat_template != loaded.settings.chat_template:
            loaded.template = chat_template(
                loaded.model.handle, loaded.vocabulary, settings.chat_template
            )
            loaded.layout = PromptLayout(loaded.template, loaded.vocabulary)
        if cost is Cost.CONTEXT:
            if loaded.ledger.used:
                notices = (
                    Problem(code="engine.kv_dropped", params={"tokens": loaded.ledger.used}),
                )
            self._replace_context(loaded, settings, progress)
            notices += renewed_draft(loaded)
        else:
            loaded.context.set_threads(settings)
            if loaded.draft is not None:
                loaded.draft.set_threads(settings)
            loaded.ledger.set_budget(_budget_bytes(settings))
            loaded.settings = settings
            loaded.measure = _measure(loaded)
        return notices

    def _replace_context(
        self, loaded: Loaded, settings: EngineSettings, progress: LoadProgress
    ) -> None:
        """Make a new context in place of the old one, whose memory it may need.

        When that fails, the old one is made again, empty. It needs no warm-up, for which a cancel
        would leave no time.
        """
        model, vocabulary, layout = loaded.model, loaded.vocabulary, loaded.layout
        loaded.ledger.forget()
        loaded.context.close()
        self._loaded = None
        failure: UserError | Cancelled | None = None
        try:
            context = self._context(model, vocabulary, settings, progress)
        except (UserError, Cancelled) as error:
            failure, settings = error, loaded.settings
            try:
                context = Context(model, settings, self.abort)
            except UserError:
                loaded.close_additions()
                model.close()
                raise failure from None
        self._loaded = _assembled(settings, model, vocabulary, layout, context)
        self._loaded.projector, self._loaded.shares = loaded.projector, loaded.shares
        self._loaded.draft = loaded.draft
        vars(loaded).update(vars(self._loaded))
        self._loaded = loaded
        if failure:
            raise failure

    def eject(self) -> None:
        """Free the model, if there is one."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.close()

    def close(self) -> None:
        """Free everything."""
        self.eject()

    # ---- requests

    def _need(self) -> Loaded:
        if self._loaded is None:
            raise UserError("worker.no_model")
        return self._loaded

    def generate(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        *,
        emit: Callable[[ReplyEvent], None],
        request_id: int,
    ) -> Finished:
        """Read a prompt and write the reply.

        Raises:
            UserError: The prompt does not fit or cannot be read, or settings cannot be used.
        """
        began, loaded = time.perf_counter(), self._need()
        if loaded.vocabulary.is_blank:
            raise UserError("engine.no_vocabulary")
        fitted = fit(loaded.layout, prompt, generation, loaded.context.n_ctx)
        reply = Generation(
            loaded,
            fitted.laid_out,
            generation,
            emit=emit,
            request_id=request_id,
            began=began,
        )
        if fitted.left_out is not None:
            emit(Removed(request_id=request_id, left_out=fitted.left_out))
        return reply.run(prompt.chat_id, is_passing=prompt.is_passing)

    def bench(self, command: Bench, *, emit: Callable[[ReplyEvent], None]) -> BenchResult:
        """Time prefill and decode; the KV state of all chats is dropped.

        Raises:
            UserError: It does not fit the context, or a decode failed.
            Cancelled: `abort` is up.
        """
        return BenchRun(self._need(), command, emit=emit).run()

    def measure(self, request_id: int, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """What a request would hold; answered on any thread."""
        return self._need().measure.measure(request_id, prompt, generation)

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Tokens of texts; answered on any thread."""
        layout = self._need().layout
        return tuple(layout.count(text) for text in texts)

    def forget(self, chat_id: str) -> None:
        """Drop the KV state of a chat, of all chats when empty."""
        if self._loaded is not None:
            self._loaded.ledger.forget(chat_id)


def _assembled(
    settings: EngineSettings,
    model: Model,
    vocabulary: Vocabulary,
    layout: PromptLayout,
    context: Context,
) -> Loaded:
    ledger = KvLedger(
        context.handle,
        model.handle,
        swa_full=settings.swa_full,
        budget_bytes=_budget_bytes(settings),
    )
    pace = PrefillPace()
    return Loaded(
        settings=settings,
        model=model,
        vocabulary=vocabulary,
        template=layout.template,
        layout=layout,
        context=context,
        ledger=ledger,
        pace=pace,
        slices=SliceControl(context.n_batch, context.n_ubatch, on_cpu=not model.devices),
        measure=PromptMeasure(layout, ledger, pace, n_ctx=context.n_ctx),
    )


def _measure(loaded: Loaded) -> PromptMeasure:
    return PromptMeasure(loaded.layout, loaded.ledger, loaded.pace, n_ctx=loaded.context.n_ctx)


def _budget_bytes(settings: EngineSettings) -> int:
    return settings.kv_budget_mib * 1024 * 1024
