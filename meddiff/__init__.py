"""Clinical notes from a diagnosis, by Gaussian diffusion in the space of BERT token embeddings

Modules:

- `meddiff.corpus`: How `medical_dataset.csv` is written: a case is drawn first, and only then put into words."""

__version__ = "0.1.0"
