"""The one exception type whose text is meant for the user.

A `UserError` carries a code and parameters; the English sentence and its fix are looked up by that
code in `engine.sentences`, so that another language needs another table and no rewrite. Anything
else that is raised is a bug and goes to the crash log.
"""

from __future__ import annotations

import msgspec

from engine.sentences import fix_for, message_for

Params = dict[str, str | int | float]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A `UserError` as data: what crosses a process boundary, a store or `--json`.

    Attributes:
        code: Key into `engine.sentences`, e.g. ``"model.not_found"``.
        params: Values the sentence is filled with.
        detail: Technical text for the log view, never shown as the sentence.
    """

    code: str
    params: Params = {}
    detail: str = ""

    @property
    def message(self) -> str:
        """The sentence that says what is wrong."""
        return message_for(self.code, self.params)

    @property
    def fix(self) -> str:
        """What the user can do about it."""
        return fix_for(self.code, self.params)

    def as_json(self) -> dict[str, str]:
        """The stable form that `--json` prints under ``"error"``."""
        return {"code": self.code, "message": self.message, "fix": self.fix}


class UserError(Exception):
    """Something the user can understand and act on: a code, a sentence, a fix."""

    def __init__(self, code: str, *, detail: str = "", **params: str | int | float) -> None:
        self.problem = Problem(code=code, params=params, detail=detail)
        super().__init__(self.problem.message)

    @classmethod
    def of(cls, problem: Problem) -> UserError:
        """Raise again what came from another process."""
        return cls(problem.code, detail=problem.detail, **problem.params)

    @property
    def code(self) -> str:
        """Key into `engine.sentences`."""
        return self.problem.code

    @property
    def message(self) -> str:
        """The sentence that says what is wrong."""
        return self.problem.message

    @property
    def fix(self) -> str:
        """What the user can do about it."""
        return self.problem.fix
