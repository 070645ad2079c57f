"""The llama.cpp binding: the only package that imports `llama_cpp`."""
