"""Where models come from: the bundled demo, other apps' folders, and what a file's header says."""
