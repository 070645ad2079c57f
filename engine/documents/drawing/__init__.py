"""Pages of PDFs as pictures, and where on them a passage stands.

Drawing runs a renderer over bytes from anywhere, so it has a process of its own, as reading has.
`drawer` is the owner's side, `page` what the process does.
"""
