"""The tree of a chat's messages: versions, branches, the branch that is shown. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Children = dict[int | None, tuple[int, ...]]


def children_of(pairs: Iterable[tuple[int, int | None]]) -> Children:
    """Ids of the messages under each parent, oldest first, from (id, parent id) pairs."""
    children: dict[int | None, list[int]] = {}
    for message_id, parent_id in sorted(pairs):
        children.setdefault(parent_id, []).append(message_id)
    return {parent_id: tuple(ids) for parent_id, ids in children.items()}


def newest_leaf(children: Children, message_id: int) -> int:
    """The end of the branch through a message that was written last at each fork."""
    while below := children.get(message_id):
        message_id = below[-1]
    return message_id


def leaf_without(children: Children, message_id: int, parent_id: int | None) -> int | None:
    """What to show once a message is gone: the version before it, else one after it, else less."""
    others = [other for other in children.get(parent_id, ()) if other != message_id]
    if not others:
        return parent_id
    older = [other for other in others if other < message_id]
    return newest_leaf(children, older[-1] if older else others[0])
