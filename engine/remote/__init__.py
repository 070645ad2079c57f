"""Lending this machine's devices to others through ggml's RPC backend."""
