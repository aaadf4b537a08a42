"""Runs the manifests of an overlay on one machine, as Knative runs them on a cluster.

Reading order: `kustomize` renders the overlay, `cluster` reads the objects, `runner` puts the parts together:
`activator` (HTTP in) → `revision` (0 to max-scale processes) → `process`, and `broker` (events in) → `dispatcher`.
"""
