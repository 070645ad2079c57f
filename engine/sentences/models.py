"""Sentences about model files: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "models.demo_missing": (
        "The demo model is not installed.",
        "Run `make setup`, or choose a GGUF file of your own.",
    ),
    "models.not_found": (
        "There is no file at {path}.",
        "Check the path, or use `demo` for the bundled model.",
    ),
    "models.not_a_file": (
        "{path} is not a file.",
        "Choose a GGUF file inside the folder.",
    ),
    "models.unreadable": (
        "{path} cannot be read.",
        "Check that you may read it and that its disk is connected.",
    ),
    "models.empty": (
        "{path} is empty.",
        "Download it again.",
    ),
    "models.not_gguf": (
        "{path} is not a GGUF file.",
        "Choose a model in the GGUF format.",
    ),
    "models.other_format": (
        "{path} is a model in another format.",
        "Look for a GGUF version of it, or convert it with llama.cpp.",
    ),
    "models.old_format": (
        "{path} is in an old format that llama.cpp no longer reads.",
        "Download a GGUF version of the model.",
    ),
    "models.lfs_pointer": (
        "{path} only points to a model: Git did not fetch the model itself.",
        "Run `git lfs pull` there, or download the file.",
    ),
    "models.web_page": (
        "{path} is a web page and no model: the download went wrong.",
        "Download it again; the model may ask you to sign in or to accept its terms first.",
    ),
    "models.gguf_version": (
        "{path} is in version {version} of the GGUF format, which this build does not read.",
        "Download a newer file of the model, or update Leadline.",
    ),
    "models.big_endian": (
        "{path} was made for computers with another byte order.",
        "Download the usual (little-endian) file of the model.",
    ),
    "models.damaged": (
        "The header of {path} is damaged.",
        "Download it again.",
    ),
    "models.truncated": (
        "{path} is not complete: {missing} MiB are missing at its end.",
        "Download it again.",
    ),
    "models.not_a_projector": (
        "{path} is not a vision projector.",
        "Choose the mmproj file that came with the model.",
    ),
    "models.no_projector_beside": (
        "There is no vision projector beside {path}.",
        "Name the mmproj file, or leave the setting empty.",
    ),
    "models.not_first_part": (
        "{path} is not the first part of the model.",
        "Open {first} beside it.",
    ),
    "models.part_renamed": (
        "{path} is one of {count} parts of a model, but its name does not say which.",
        "Give the parts the names they came with, which end in -00001-of-….gguf for the first.",
    ),
    "models.part_missing": (
        "The model has {count} parts and {path} is missing.",
        "Download all parts into one folder.",
    ),
}
