"""Chats: sending, streaming, versions, and what the centre of the window shows of them."""
