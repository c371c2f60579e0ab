"""Engines that write: vLLM, transformers, and a scripted one for tests, behind one small interface."""
