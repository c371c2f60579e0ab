"""Tokens → adapters: S-DPO, Rec-tuning and distillation; no Spark."""
