"""Which files of a source tree are no reading matter: what a `.gitignore` says, and a few more.

The patterns are git's: ``*``, ``?``, ``[…]``, ``**``, a slash at the end for folders, one elsewhere
to tie a pattern to its folder, ``!`` to take it back. The last one that fits decides.
"""

from __future__ import annotations

import re

ALWAYS = """
.git/
.hg/
.svn/
.idea/
.vscode/
.venv/
venv/
node_modules/
__pycache__/
.mypy_cache/
.ruff_cache/
.pytest_cache/
.tox/
.cache/
.DS_Store
Thumbs.db
package-lock.json
yarn.lock
pnpm-lock.yaml
*.min.js
*.min.css
*.map
"""
"""What no reader of a source tree wants, whether it says so or not."""


class IgnoreRules:
    """The rules of one tree: gathered folder by folder, asked for each path in it."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], bool]] = []
        self.add(ALWAYS, "")

    def add(self, text: str, folder: str) -> None:
        """Add the rules of a `.gitignore` that lies in `folder` (empty for the root)."""
        for line in text.splitlines():
            pattern = line.rstrip()
            if not pattern or pattern.startswith("#"):
                continue
            kept = pattern.startswith("!")
            self._rules.append((_compiled(pattern[kept:], folder), not kept))

    def ignores(self, path: str) -> bool:
        """Whether a file is left out, by its own path (``src/a.py``) or a folder above it."""
        parts = path.split("/")
        places = ["/".join(parts[:end]) + "/" for end in range(1, len(parts))]
        return any(self._verdict(place) for place in [*places, path])

    def _verdict(self, path: str) -> bool:
        verdict = False
        for pattern, ignored in self._rules:
            if pattern.match(path):
                verdict = ignored
        return verdict


def _compiled(pattern: str, folder: str) -> re.Pattern[str]:
    only_folders = pattern.endswith("/")
    body = pattern.strip("/") if only_folders or pattern.startswith("/") else pattern
    tied = "/" in pattern.rstrip("/")
    start = re.escape(f"{folder}/") if folder else ""
    depth = "" if tied else "(?:.*/)?"
    return re.compile(f"{start}{depth}{_translated(body)}{'/' if only_folders else '/?'}\\Z")


def _translated(pattern: str) -> str:
    """A glob as a regular expression in which `*` stays within a folder."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]"
            at = end + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
