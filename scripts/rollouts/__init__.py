"""Real rollouts on the cluster: what `make demo-rollout`, `make prove` and the end-to-end story are made of."""
