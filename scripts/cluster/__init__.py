"""A single-node Kubernetes in namespaces of its own, made of upstream's components, with everything Leeway stands on."""
