"""Documents of the chats: reading files in the background, and what the composer shows of them."""
