"""Which llama.cpp this installation runs, and how to change it, in words."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from engine.build import Backend, change_command, choose, installed_build
from engine.llama.threads import default_threads

_NAMES = {
    Backend.CPU: "CPU",
    Backend.CUDA: "CUDA",
    Backend.VULKAN: "Vulkan",
    Backend.METAL: "Metal",
}


def build_words() -> tuple[str, str]:
    """A short name such as ``"CPU build"``, and what the tooltip says about changing it."""
    build = installed_build()
    if build is None:
        return _tr("no engine"), _tr("llama.cpp is not installed. Run `make setup`.")
    lines = [_tr("llama.cpp in {folder}").format(folder=build.library_dir)]
    if build.backend is Backend.CPU:
        best = choose()
        lines.append(_tr("Built for the CPU: {reason}.").format(reason=best.reason))
        other = best.backend if best.backend is not Backend.CPU else Backend.CUDA
        lines.append(_tr("To use a GPU: {command}").format(command=change_command(other)))
    else:
        command = change_command(Backend.CPU)
        lines.append(_tr("To go back to the CPU: {command}").format(command=command))
    threads = default_threads()
    told = _tr("Threads where the settings leave it open: {count} ({reason}).")
    lines.append(told.format(count=threads.count, reason=threads.reason))
    return _tr("{backend} build").format(backend=_NAMES[build.backend]), "\n".join(lines)


def _tr(text: str) -> str:
    return QCoreApplication.translate("BuildWords", text)
