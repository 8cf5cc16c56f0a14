"""Traces for an OpenTelemetry collector, as `schemas/traces.yaml` names their spans.

`otlp` alone knows OpenTelemetry, and is imported only where a collector is named: without one, the packages are never
loaded, and a request costs no more than the calls of a `Trace` that does nothing.
"""
