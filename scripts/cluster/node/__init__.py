"""The node: certificates, configuration and command lines of the upstream components that run in the box."""
