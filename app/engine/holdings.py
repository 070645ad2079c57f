"""What the engine holds and would give back before another load, for a plan made meanwhile.

Where the driver tells whose memory it is, the planner asks it for the worker's part, and only the
worker's process id is needed. This is for the rest: nodes, and cards in a container.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.planning.facts import Scene, card_of
from engine.settings import Cost, cost_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.engine.card_readings import CardReadings
    from engine.planning.plan import Plan
    from engine.settings import EngineSettings
    from engine.worker.protocol import ContextInfo, Loaded


class Holdings:
    """Follows the worker from load to load. Main thread; owned by the plan's controller.

    Attributes:
        loaded: What is loaded now; None for nothing.
        plan: The plan of what is loaded or being loaded; None where there was none.
    """

    def __init__(self, readings: CardReadings) -> None:
        self._readings = readings
        self._before_load: dict[str, int] | None = None
        self._plan_before: Plan | None = None
        self.loaded: Loaded | None = None
        self.plan: Plan | None = None

    def begin_load(self, plan: Plan | None, worker_pid: int | None) -> None:
        """A load begins; the cards are read for it."""
        self._before_load = _together(self._account(), self._own_of_backend(plan or self.plan))
        self._plan_before, self.plan = self.plan, plan
        self._readings.begin(worker_pid)

    def end_load(self, loaded: Loaded | None) -> None:
        """It is over, or the model is gone."""
        if loaded is self.loaded and self._before_load is not None:
            # It was refused or cancelled, and the model before it is still there.
            self.plan = self._plan_before
        self._before_load, self.loaded = None, loaded
        planned = self.plan.shares if self.plan is not None else ()
        if loaded is not None and planned and planned != loaded.context.shares:
            # The plan came during the load, and is of another division.
            self.plan = None

    def scene(self, settings: EngineSettings, worker_pid: int | None) -> Scene:
        """What a question about settings is asked against."""
        if worker_pid is None:
            return Scene()
        loaded = self.loaded
        stays = loaded is not None and cost_of(loaded.settings, settings) is not Cost.RELOAD
        return Scene(
            worker_pid=worker_pid,
            released=self._released() if self._before_load is None else self._while_loading(),
            shares=loaded.context.shares if loaded is not None and stays else (),
        )

    def _released(self) -> dict[str, int]:
        return _together(self._account(), self._own_of_backend(self.plan))

    def _account(self) -> dict[str, int]:
        """What llama.cpp accounts for, by device id."""
        if self.loaded is None:
            return {}
        account = accounted(self.loaded.context)
        if self.plan is not None and self.plan.settings == self.loaded.settings:
            # llama.cpp's account of a tensor split is one row for all devices.
            account |= {device.id: device.account_bytes for device in self.plan.devices}
        return account

    def _own_of_backend(self, plan: Plan | None) -> dict[str, int]:
        """The context, which stays when the model goes, and pools once a prompt was read."""
        has_read = bool(self._readings.taken.after_prefill)
        return {
            device.id: device.runtime_bytes + (device.pool_bytes if has_read else 0)
            for device in (plan.devices if plan is not None else ())
        }

    def _while_loading(self) -> dict[str, int]:
        """What a card has lost since the load began, and what was held then."""
        before, held = self._readings.taken.before, self._before_load or {}
        now = self._readings.used_bytes()
        released: dict[str, int] = {}
        for device_id in {*held, *before}:
            card = card_of(device_id)
            grown = now[card] - before[card] if card in now and card in before else 0
            released[device_id] = max(0, held.get(device_id, 0) + grown)
        return released


def accounted(context: ContextInfo) -> dict[str, int]:
    """Bytes by device id that a loaded model holds, by llama.cpp's account."""
    held = dict(context.projector_bytes)
    for row in context.memory:
        # A mapped file's pages count as free RAM already.
        weights_bytes = 0 if row.name.endswith("_Mapped") else row.weights_bytes
        size = weights_bytes + row.kv_bytes + row.compute_bytes
        held[row.id] = held.get(row.id, 0) + size
    return held


def _together(*parts: Mapping[str, int]) -> dict[str, int]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return dict(whole)
