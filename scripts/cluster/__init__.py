"""A single-node Kubernetes in namespaces of its own: upstream's components and everything Leeway stands on."""
