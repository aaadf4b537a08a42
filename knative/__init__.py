"""The manifests of audiolift, and what runs them on one machine."""
