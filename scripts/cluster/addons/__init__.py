"""What a cluster needs before Leeway can be installed: DNS, metrics, storage, certificates, a gateway and KServe."""
