"""What two versions of a model did side by side, weighed by tests that stay valid however often one looks.

Pure functions of counts. Numbers may be arrays with a leading axis of rollouts: what is simulated is what decides.
"""
