"""The sidebar's side of the app: chats, search and documents, from the store to the lists."""
