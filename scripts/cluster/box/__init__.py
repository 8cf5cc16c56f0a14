"""The box: namespaces, cgroups and addresses of its own for one cluster, reachable from the host, with no way out."""
