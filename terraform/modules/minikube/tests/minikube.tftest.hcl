# minikube itself is run by tests/terraform, with one that writes down how it was called.

run "a_version_is_exact" {
  command = plan

  variables {
    kubernetes_version = "1.36"
  }

  expect_failures = [var.kubernetes_version]
}

run "an_old_version_is_refused" {
  command = plan

  variables {
    kubernetes_version = "1.31.9"
  }

  expect_failures = [var.kubernetes_version]
}

run "a_name_is_a_name" {
  command = plan

  variables {
    name = "Leeway; rm"
  }

  expect_failures = [var.name]
}

run "a_driver_is_known" {
  command = plan

  variables {
    driver = "vmware"
  }

  expect_failures = [var.driver]
}

run "a_node_has_room" {
  command = plan

  variables {
    cpus      = 1
    memory_mb = 2048
  }

  expect_failures = [var.cpus, var.memory_mb]
}

run "the_context_is_known_before_the_cluster" {
  command = plan

  assert {
    condition     = output.context == "leeway"
    error_message = "Providers are configured with the context before the cluster is there."
  }
}
