mock_provider "helm" {}

run "everything_in_the_versions_of_the_defaults" {
  assert {
    condition = output.installed == {
      cert-manager          = "v1.21.2"
      envoy-gateway         = "v1.9.1"
      kserve                = "v0.20.0"
      kserve-crd            = "v0.20.0"
      kube-prometheus-stack = "90.2.0"
      leeway                = "0.2.0"
      prometheus-adapter    = "5.3.0"
    }
    error_message = "A default platform installs each part in its default version."
  }

  assert {
    condition     = yamldecode(helm_release.kserve[0].values[0]).kserve.controller.deploymentMode == "Standard"
    error_message = "Leeway needs KServe in Standard mode: in Knative mode its slots would be Knative services."
  }

  assert {
    condition     = yamldecode(helm_release.leeway[0].values[0]).operator.prometheus.url == output.prometheus_url
    error_message = "The operator asks the Prometheus that is installed here."
  }

  assert {
    condition     = yamldecode(helm_release.leeway[0].values[0]).monitoring == { podMonitors = { enabled = true }, rules = { enabled = true } }
    error_message = "With a Prometheus installed here, Leeway's monitors and rules are asked for, not left to what is found."
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues == false
    error_message = "Prometheus takes the monitors of any release; else it would scrape no model."
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).prometheus.prometheusSpec.additionalConfig.rules.alert.forGracePeriod == "1m"
    error_message = "A Prometheus that begins anew remembers which alerts wait and fire."
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).prometheus.additionalPodMonitors[0].podMetricsEndpoints[0].honorLabels
    error_message = "Certificates are watched, each under its own name."
  }

  assert {
    condition     = [for each in yamldecode(helm_release.cluster[0].values[0]).objects : yamldecode(each).kind] == ["GatewayClass", "EnvoyProxy", "Namespace"]
    error_message = "The GatewayClass and the namespace of the release are created before it."
  }
}

run "autoscalers_are_answered" {
  assert {
    condition     = yamldecode(helm_release.prometheus_adapter[0].values[0]).rules == yamldecode(file("../../../charts/leeway/files/prometheus-adapter.yaml")).rules
    error_message = "The adapter makes the metrics that the autoscalers of Leeway's chart ask for."
  }

  assert {
    condition     = yamldecode(helm_release.prometheus_adapter[0].values[0]).prometheus == { url = output.prometheus_url, port = 0 }
    error_message = "The adapter asks the Prometheus that rollouts ask."
  }

  assert {
    condition     = yamldecode(helm_release.prometheus_adapter[0].values[0]).certManager.enabled
    error_message = "The API server checks whom it asks."
  }
}

run "no_password_passes_through_terraform" {
  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).grafana.enabled == false
    error_message = "Without a Secret made outside, Grafana is left out: its chart would make a password of its own."
  }
}

run "grafana_takes_its_password_from_a_secret" {
  variables {
    monitoring = { grafana_admin_secret = "grafana-admin" }
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).grafana.admin == { existingSecret = "grafana-admin" }
    error_message = "Grafana's password comes from the Secret that was named, and only its name is in the state."
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).grafana.sidecar.dashboards.searchNamespace == "ALL"
    error_message = "Grafana looks for dashboards in Leeway's namespace too."
  }
}

run "what_the_cluster_has_already_is_left_alone" {
  variables {
    parts          = { cert_manager = false, monitoring = false, prometheus_adapter = false, envoy_gateway = false, kserve = false }
    prometheus_url = "http://prometheus.observability.svc:9090"
  }

  assert {
    condition     = output.installed == { leeway = "0.2.0" }
    error_message = "A part that is switched off is not installed."
  }

  assert {
    condition     = yamldecode(helm_release.leeway[0].values[0]).operator.prometheus.url == "http://prometheus.observability.svc:9090"
    error_message = "The operator asks the Prometheus that was named."
  }

  assert {
    condition     = [for each in output.objects : yamldecode(each).kind] == ["Namespace"]
    error_message = "The GatewayClass belongs to whoever installs the gateway's controller."
  }
}

run "another_prometheus_is_asked_by_all" {
  variables {
    parts          = { monitoring = false }
    prometheus_url = "http://prometheus.observability.svc:9090"
  }

  assert {
    condition     = yamldecode(helm_release.prometheus_adapter[0].values[0]).prometheus.url == "http://prometheus.observability.svc:9090"
    error_message = "Autoscalers and rollouts look at the same Prometheus."
  }
}

run "the_prerequisites_alone" {
  variables {
    parts = { leeway = false }
  }

  assert {
    condition     = !contains(keys(output.installed), "leeway") && output.namespace == null
    error_message = "Without parts.leeway there is no release of it and no namespace."
  }
}

run "described_and_not_installed" {
  variables {
    install = false
    parts   = { monitoring = false }
    # Only its form matters here.
    prometheus_url = "http://prometheus.observability.svc:9090"
  }

  assert {
    condition     = length(output.installed) == 0
    error_message = "Without install there is no release."
  }

  assert {
    condition     = toset(keys(output.releases)) == toset(["cert-manager", "envoy-gateway", "kserve", "kserve-crd", "leeway", "prometheus-adapter"])
    error_message = "The parts that are not switched off are described."
  }
}

run "a_small_platform" {
  variables {
    small = true
  }

  assert {
    condition     = helm_release.kserve_crd[0].chart == "oci://ghcr.io/kserve/charts/kserve-crd-minimal"
    error_message = "A small platform has KServe's kinds without their schemas."
  }

  assert {
    condition     = yamldecode(helm_release.leeway[0].values[0]).driftDetector.backend == "native"
    error_message = "A small platform does without Alibi-Detect."
  }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[0]).defaultRules.create == false
    error_message = "A small platform does without the rules about the cluster itself."
  }
}

run "a_small_platform_scales_by_cpu_alone" {
  variables {
    small = true
  }

  assert {
    condition     = !contains(keys(output.installed), "prometheus-adapter") && !contains(keys(output.releases), "prometheus-adapter")
    error_message = "A small platform does without prometheus-adapter."
  }
}

run "own_values_come_last" {
  variables {
    values = { leeway = "operator: {replicas: 2}" }
  }

  assert {
    condition     = length(helm_release.leeway[0].values) == 2 && yamldecode(helm_release.leeway[0].values[1]).operator.replicas == 2
    error_message = "Helm lets the last document win: it has to be the user's."
  }
}

run "a_range_is_no_version" {
  command = plan

  variables {
    versions = { kserve = "~0.20" }
  }

  expect_failures = [var.versions]
}

run "a_chart_needs_a_home" {
  command = plan

  variables {
    charts = { leeway = "leeway" }
  }

  expect_failures = [var.charts]
}

run "values_are_a_mapping" {
  command = plan

  variables {
    values = { leeway = "- a list" }
  }

  expect_failures = [var.values]
}

run "a_release_has_a_namespace_of_its_own" {
  command = plan

  variables {
    namespace = "monitoring"
  }

  expect_failures = [var.namespace]
}

run "no_rollouts_without_a_prometheus" {
  command = plan

  variables {
    parts = { monitoring = false }
  }

  expect_failures = [var.prometheus_url]
}

run "no_answers_for_autoscalers_without_a_prometheus" {
  command = plan

  variables {
    parts = { monitoring = false, leeway = false }
  }

  expect_failures = [var.prometheus_url]
}

run "not_two_prometheuses" {
  command = plan

  variables {
    prometheus_url = "http://prometheus.observability.svc:9090"
  }

  expect_failures = [var.prometheus_url]
}

run "a_hostname_is_a_name" {
  command = plan

  variables {
    hostname = "https://models.example.com"
  }

  expect_failures = [var.hostname]
}

run "a_gateway_is_exposed_in_a_known_way" {
  command = plan

  variables {
    gateway = { service_type = "ExternalName" }
  }

  expect_failures = [var.gateway]
}

run "a_backend_is_known" {
  command = plan

  variables {
    detector_backend = "evidently"
  }

  expect_failures = [var.detector_backend]
}

run "samples_need_room" {
  command = plan

  variables {
    monitoring = { disk_gb = 1 }
  }

  expect_failures = [var.monitoring]
}

run "a_release_needs_a_minute" {
  command = plan

  variables {
    timeout_seconds = 10
  }

  expect_failures = [var.timeout_seconds]
}
