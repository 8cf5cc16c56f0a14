mock_provider "helm" {}

# The cluster stands already: nothing is started by a plan.
run "the_whole_platform_on_one_node" {
  command = plan

  assert {
    condition     = output.context == "leeway"
    error_message = "Releases go to the profile of this environment, whatever context is current."
  }
}
