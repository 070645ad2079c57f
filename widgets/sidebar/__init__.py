"""The left pane: search, chats, documents and the page switcher. Views only."""
