"""Engines that write or score (vLLM, transformers, a scripted one for tests) and the sentence encoder."""
