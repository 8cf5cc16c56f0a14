"""What tests Terraform here: the program, and a provider that stands in for those that cannot be had everywhere."""
