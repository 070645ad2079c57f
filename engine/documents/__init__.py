"""Documents: files become pages of text, in a process of their own.

`DocumentReader` (reader.py) is what the rest of the app uses: it runs `read_document` (extract.py)
in a child process, so that a hostile file can neither hang nor kill anything else. What comes back
is a `Document` (model.py); prompt.py lays it out for the model.
"""
