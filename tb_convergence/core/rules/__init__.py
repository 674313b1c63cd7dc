"""The catalogue of diagnoses: one file per rule."""
