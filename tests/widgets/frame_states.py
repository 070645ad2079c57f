"""States of the frame for pictures and tests: plain view data, as the application would give it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sin
from typing import TYPE_CHECKING

import msgspec

from engine.settings import EngineSettings
from widgets.economics.viewdata import CardsView, CurveView, EconomicsView, LimitView
from widgets.engine_pane.viewdata import (
    ApplyView,
    ChoiceProblem,
    DeviceLiveView,
    DevicePlanView,
    DeviceView,
    FixView,
    LoadProgressView,
    ModelCardView,
    ModelFileView,
    ProfilesView,
    RuleView,
    SettingHints,
    SpeedSample,
)
from widgets.sidebar.viewdata import ChatItemView, DocumentItemView, SearchHitView

if TYPE_CHECKING:
    from collections.abc import Callable

    from widgets.engine_pane.pane import EnginePane
    from widgets.main_window import MainWindow

GIB = 1024**3

SETTINGS = EngineSettings(
    model_path="/models/Qwen3-8B-Q5_K_M.gguf",
    n_ctx=32_768,
    split_mode="tensor",
    tensor_split=(1, 1),
    type_k="q8_0",
    type_v="q8_0",
)
GPU_0 = DeviceView(
    id="00000000:01:00.0",
    name="RTX 3090",
    total_bytes=24 * GIB,
    weights_bytes=int(2.7 * GIB),
    kv_bytes=int(1.8 * GIB),
    compute_bytes=int(0.5 * GIB),
    runtime_bytes=int(0.6 * GIB),
    other_bytes=0,
    limit_bytes=int(23.2 * GIB),
    kv_kinds=(("attention", int(1.8 * GIB)),),
)
GPU_1 = msgspec.structs.replace(GPU_0, id="00000000:41:00.0", other_bytes=int(2.1 * GIB))
LIVE = (
    DeviceLiveView(
        id=GPU_0.id,
        used_bytes=int(5.6 * GIB),
        app_bytes=int(5.5 * GIB),
        busy_percent=71,
        power_w=248,
        temperature_c=61,
        pcie="PCIe 4.0 ×8",  # noqa: RUF001
    ),
    DeviceLiveView(
        id=GPU_1.id,
        used_bytes=int(7.7 * GIB),
        busy_percent=69,
        power_w=241,
        temperature_c=64,
        note="others 2.1 GiB",
    ),
)
PLAN = DevicePlanView(
    devices=(GPU_0, GPU_1),
    summary="predicted 10.9, got 10.9 GiB",
    summary_detail="predicted 11,162 MiB, got 11,171 MiB after the first prefill",
    shares=(1, 1),
)
MODELS = (
    ModelFileView("/d/smol.gguf", "SmolLM2 135M", "Demo", 98_000_000, "Q4_1", "llama", 8192),
    ModelFileView(
        path="/m/Qwen3-8B-Q5_K_M.gguf",
        name="Qwen3 8B",
        source="LM Studio",
        size_bytes=5_850_000_000,
        quantization="Q5_K_M",
        architecture="qwen3",
        n_ctx_train=40_960,
        is_loaded=True,
    ),
    ModelFileView(
        path="/m/gemma-3-12b-it-Q4_K_M.gguf",
        name="Gemma 3 12B it",
        source="LM Studio",
        size_bytes=7_300_000_000,
        quantization="Q4_K_M",
        architecture="gemma3",
        n_ctx_train=131_072,
    ),
    ModelFileView(
        path="/m/broken.gguf",
        name="Mistral Small 24B",
        source="Hugging Face cache",
        size_bytes=3_100_000_000,
        problem="Part 2 of 3 is missing.",
    ),
)


def speed(pane: EnginePane) -> None:
    clock = 0.0
    for at in range(220):
        clock += 0.1
        if at < 40:
            sample = SpeedSample(clock, "load")
        elif at < 70:
            sample = SpeedSample(clock, "read", 2400 - at * 4)
        else:
            sample = SpeedSample(clock, "write", 41 + 2 * sin(at / 6))
        pane.append_speed(sample)


def ready(pane: EnginePane) -> None:
    pane.set_model(
        ModelCardView(
            name="Qwen3-8B Q5_K_M",
            state="ready",
            words="Ready · 2 GPUs, tensor split · KV q8_0 · proven 32k",
            tone="ok",
            detail="/models/Qwen3-8B-Q5_K_M.gguf\nqwen3 · 8.2 B parameters",
        )
    )
    pane.set_models(MODELS)
    pane.set_settings(SETTINGS, SETTINGS)
    pane.set_plan(PLAN)
    for at in range(60):
        pane.set_live(
            tuple(
                msgspec.structs.replace(each, busy_percent=60 + 20 * sin(at / 4 + n))
                for n, each in enumerate(LIVE)
            )
        )
    pane.set_live(LIVE)
    pane.set_hints(
        SettingHints(max_n_ctx=98_304, n_ctx_train=131_072, can_split=True, can_fit=True)
    )
    pane.set_profiles(ProfilesView(("long context", "fast"), "long context"))
    pane.set_rules(
        (
            RuleView(
                "suggest.longer",
                "Context 65,536 would add 1.1 GiB per GPU and still fit.",
                fix="Use it",
            ),
        )
    )
    speed(pane)


def edited(pane: EnginePane) -> None:
    ready(pane)
    pane.set_settings(
        SETTINGS, msgspec.structs.replace(SETTINGS, n_ctx=65_536, tensor_split=(5, 4))
    )
    pane.set_apply(ApplyView("Apply · 0.3 s"))


def no_fit(pane: EnginePane) -> None:
    ready(pane)
    pane.set_model(
        ModelCardView(
            name="Qwen3-8B Q5_K_M",
            state="unloaded",
            words="Not loaded · does not fit as set",
            tone="warn",
        )
    )
    full = msgspec.structs.replace(GPU_0, kv_bytes=int(16 * GIB))
    over = msgspec.structs.replace(GPU_1, kv_bytes=int(18.8 * GIB), compute_bytes=int(0.9 * GIB))
    pane.set_plan(DevicePlanView((full, over), "GPU 1 short by 2.3 GiB", "bad", shares=(1, 1)))
    pane.set_settings(None, msgspec.structs.replace(SETTINGS, n_ctx=262_144, type_v="iq4_nl"))
    pane.set_live(())
    pane.set_fixes(
        (
            FixView("v", "V cache to q8_0", int(7.5 * GIB), "quality: 0.0004 KL, measured"),
            FixView("ctx", "Context 262,144 → 221,184", int(2.5 * GIB)),
            FixView("split", "Split 1:1 → 5:4", int(2.3 * GIB)),
            FixView("close", "Close “Resolve” (pid 4121)", int(4.6 * GIB), is_possible=False),
        )
    )
    pane.set_rules(
        (
            RuleView(
                "tensor.iq4_nl",
                "iq4_nl cannot be used with tensor split: llama.cpp stops the engine.",
                "bad",
                "Use q4_0",
                ("type_v", "split_mode"),
            ),
            RuleView(
                "fa.mixed",
                "K q8_0 with V iq4_nl has no kernel in this build and is converted each step.",
                "warn",
                "Use q8_0 for both",
            ),
        )
    )
    pane.set_hints(
        SettingHints(
            max_n_ctx=221_184,
            n_ctx_train=262_144,
            can_split=True,
            can_fit=True,
            problems=(
                ChoiceProblem("type_v", "iq4_nl", "iq4_nl stops the engine in tensor split."),
            ),
        )
    )
    pane.set_apply(ApplyView("Load", is_possible=False, detail="It does not fit."))


def measuring(pane: EnginePane) -> None:
    cpu_loading(pane)
    words = "Measuring the best values"
    pane.set_model(ModelCardView(name="SmolLM2 135M", state="measuring", words=words, tone="warn"))
    pane.set_held("The best values are being measured.")


def cpu_loading(pane: EnginePane) -> None:
    pane.set_model(
        ModelCardView(
            name="SmolLM2 135M Instruct",
            state="loading",
            words="Loading",
            tone="warn",
            progress=LoadProgressView("Reading weights", 0.62, None, 98_000_000, 0.4, 0.3),
            build="CPU build",
            build_help="This build of llama.cpp has no GPU backend.",
        )
    )
    pane.set_models(MODELS)
    pane.set_plan(
        DevicePlanView(
            (
                DeviceView(
                    id="ram",
                    name="RAM",
                    kind="ram",
                    total_bytes=16 * GIB,
                    weights_bytes=int(0.1 * GIB),
                    kv_bytes=int(0.2 * GIB),
                    compute_bytes=int(0.1 * GIB),
                    other_bytes=int(6.3 * GIB),
                    limit_bytes=15 * GIB,
                ),
            ),
            "predicted 0.4 GiB",
        )
    )
    pane.set_live((DeviceLiveView(id="ram", busy_percent=88),))
    pane.set_settings(None, EngineSettings(model_path=MODELS[0].path))
    pane.set_hints(SettingHints(n_ctx_train=8192, max_n_ctx=None))


def first_run(pane: EnginePane) -> None:
    pane.set_plan(
        DevicePlanView(
            (
                DeviceView(id="ram", name="RAM", kind="ram", total_bytes=16 * GIB),
                msgspec.structs.replace(GPU_0, is_lost=True, problem="This GPU stopped answering."),
                DeviceView(
                    id="10.0.0.7:50052",
                    name="RTX 4090",
                    kind="rpc",
                    is_on=False,
                    total_bytes=24 * GIB,
                ),
            )
        )
    )


def all_settings(pane: EnginePane) -> None:
    edited(pane)
    pane.show_all_settings()


def reply_settings(pane: EnginePane) -> None:
    ready(pane)
    pane.show_all_settings(1)


PANES: dict[str, Callable[[EnginePane], None]] = {
    "ready": ready,
    "edited": edited,
    "no-fit": no_fit,
    "cpu-loading": cpu_loading,
    "measuring": measuring,
    "first-run": first_run,
    "all-settings": all_settings,
    "reply-settings": reply_settings,
}
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CHATS = (
    ChatItemView("1", "Notice periods in the lease", NOW, 18_102, activity="writing"),
    ChatItemView("2", "R manual: lazy evaluation", NOW - timedelta(hours=2), 31_000),
    ChatItemView("3", "Port the parser to Rust", NOW - timedelta(hours=3), 6100, activity="unread"),
    ChatItemView("4", "Tax letter, second draft", NOW - timedelta(days=1), 4000),
    ChatItemView("5", "Compare three contracts", NOW - timedelta(days=9), 27_400, is_pinned=True),
    ChatItemView("6", "Heat pump offers, which one", NOW - timedelta(days=9), 812, folder="House"),
    ChatItemView(
        "7", "A very long title that has to give way", NOW - timedelta(days=20), 1_300_000
    ),
)
DOCUMENTS = (
    DocumentItemView("a", "lease-2026.pdf", "ready", 212, 17_600),
    DocumentItemView("b", "fullrefman.pdf", "on_disk", 2415),
    DocumentItemView("c", "policy.epub"),
    DocumentItemView("d", "c++-annotations.pdf", "reading", fraction=0.43),
    DocumentItemView("e", "scan.pdf", "failed", problem="This PDF holds pictures of pages only."),
)
HITS = (
    SearchHitView(
        "1",
        "Notice periods in the lease",
        "… the Tenant may give six weeks' notice, counted from the first day of the month …",
        "m1",
        ((21, 9), (31, 6)),
    ),
    SearchHitView(
        "4",
        "Tax letter, second draft",
        "… please take notice that the amount in line 12 is wrong …",
        "m2",
        ((14, 6),),
    ),
)


def fill_window(window: MainWindow) -> None:
    ready(window.engine)
    window.set_plan(PLAN)
    window.set_model(
        ModelCardView(
            name="Qwen3-8B Q5_K_M",
            state="ready",
            words="Ready · 2 GPUs, tensor split · KV q8_0 · proven 32k",
            tone="ok",
        )
    )
    window.set_models(MODELS)
    window.sidebar.set_chats(CHATS, NOW)
    window.sidebar.set_current_chat("1")
    window.sidebar.set_documents(DOCUMENTS)
    window.append_speed(SpeedSample(99, "write", 41.2))
    window.tick.ticked.emit()


def _line(base_gib: float, kib_per_token: float, top: int = 131_072) -> tuple[tuple[int, int], ...]:
    return tuple(
        (at, int(base_gib * GIB + at * kib_per_token * 1024)) for at in range(0, top + 1, 8192)
    )


ECONOMICS = EconomicsView(
    curves=(
        CurveView(
            "q-f16", "q", "Qwen3-8B · GQA 32:8", "f16", _line(6, 128), 131_072, 135_168,
            "every layer keeps 8 K/V heads for every token",
        ),
        CurveView(
            "q-q8", "q", "Qwen3-8B · GQA 32:8", "q8_0", _line(6, 68), 69_632, 254_976,
            "same cache, 8.5 bits a value",
        ),
        CurveView(
            "d", "d", "DeepSeek-V2-Lite · MLA", "f16", _line(10.4, 30), 30_720, 444_416,
            "one 576-wide latent per layer and token, no V",
        ),
        CurveView(
            "g", "g", "Gemma 3 12B · 5:1 sliding window", "f16", _line(8.6, 64), 65_536, 235_520,
            "40 of 48 layers keep 1,536 tokens at most",
        ),
        CurveView(
            "n", "n", "Qwen3-Next · hybrid", "f16", _line(5.6, 36), 36_864, 524_288,
            "3 of 4 layers keep a fixed state",
        ),
    ),
    limits=(LimitView("one 24 GiB card, other programs counted", int(22.6 * GIB)),),
    cards=(
        CardsView("here", "These cards"),
        CardsView("2x24", "2×24 GiB", is_what_if=True),  # noqa: RUF001
    ),
    chosen_cards="2x24",
    unit_words="GiB over both GPUs",
    longest_words="Longest on 24 GiB",
    source_words="Computed by the engine itself, checked against the card after each load.",
    n_ctx=65_536,
)  # fmt: skip
