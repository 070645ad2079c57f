"""An engine for commands that outlives its worker: started again, it goes on with the answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from engine.errors import UserError
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.cli.ask import Terminal
    from engine.settings import EngineSettings, GenerationSettings
    from engine.worker.protocol import Event, Finished, Loaded, Measured, Prompt

_ATTEMPTS = 2
# The same again would end the same way.
_HOPELESS = ("worker.out_of_memory", "worker.aborted", "node.lost")


class LastingWorker:
    """A worker that is started again when it dies. A context manager; its calls wait.

    Attributes:
        loaded: The model, as it was loaded last.
        attempts: How often the answer was begun or gone on with.
    """

    def __init__(
        self, settings: EngineSettings, terminal: Terminal, log: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._terminal = terminal
        self._log = log
        self.attempts = 0
        self._start()

    def _start(self) -> None:
        waiting = self._terminal.say_waiting
        self._worker = BlockingWorker(on_log=self._log, on_wait=waiting).__enter__()
        try:
            self.loaded: Loaded = self._worker.load(self._settings, self._terminal.show)
        except BaseException as error:
            self._worker.__exit__(type(error), error, error.__traceback__)
            raise

    def __enter__(self) -> LastingWorker:
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.__exit__(*error)  # type: ignore[arg-type]

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._worker.client.pid

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request."""
        return self._worker.measure(prompt, generation)

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts."""
        return self._worker.count(texts)

    def generate(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        on_event: Callable[[Event], None],
    ) -> Finished:
        """Write a reply."""
        return self._worker.generate(prompt, generation, on_event)

    def revive(self) -> None:
        """Start again with the same model, if it died."""
        if self.pid is None:
            print("The engine stopped; it is started again.", file=sys.stderr)
            self._start()

    def answer(self, prompt: Prompt, generation: GenerationSettings) -> Finished:
        """Write the reply to the terminal. One that a death cut off goes on where it was.

        Raises:
            UserError: The request failed, or the worker died once too often.
        """
        while True:
            self.attempts += 1
            try:
                return self.generate(prompt, generation, self._terminal.show)
            except UserError as error:
                is_over = self.attempts == _ATTEMPTS or error.code in _HOPELESS
                if is_over or self.pid is not None:
                    raise
                print(error.message, file=sys.stderr)
                self.revive()
                prompt, generation = self._rest(prompt, generation)

    def _rest(
        self, prompt: Prompt, generation: GenerationSettings
    ) -> tuple[Prompt, GenerationSettings]:
        """What is left to be written."""
        written = self._terminal.begin_again()
        if not written:
            return prompt, generation
        if generation.max_tokens > 0:
            left = max(1, generation.max_tokens - written)
            generation = msgspec.structs.replace(generation, max_tokens=left)
        return (
            msgspec.structs.replace(
                prompt,
                prefill_reply=self._terminal.text,
                prefill_thinking="" if self._terminal.text else self._terminal.thinking,
            ),
            generation,
        )
