"""Clinical notes from a diagnosis, by Gaussian diffusion in the space of BERT token embeddings"""

from importlib import import_module

__version__ = "0.1.0"

# Names are loaded when they are first used, so that importing the package is instant.
_WHERE = {
    "MedicalDiffusion": "pipeline", "Note": "pipeline", "PRESETS": "pipeline", "SamplingConfig": "sampling", "EmbeddingSpace": "embedding", "NoiseSchedule": "schedule",
    "GaussianDiffusion": "diffusion", "DiffusionTransformer": "denoiser", "DenoiserConfig": "denoiser", "Trainer": "training", "TrainConfig": "training", "Checkpoint": "training",
}
__all__ = ["__version__", *_WHERE]


def __getattr__(name: str):
    if name not in _WHERE: raise AttributeError(f"module 'meddiff' has no attribute {name!r}")
    return getattr(import_module(f"meddiff.{_WHERE[name]}"), name)


def __dir__() -> list[str]: return sorted([*globals(), *_WHERE])
