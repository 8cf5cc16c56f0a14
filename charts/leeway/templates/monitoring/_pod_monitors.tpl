{{/* Not empty where PodMonitors are wanted: they were asked for, or their kind is there. */}}
{{- define "leeway.podMonitors" -}}
{{- $enabled := toString .Values.monitoring.podMonitors.enabled -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor")) -}}
true
{{- end -}}
{{- end -}}

{{/* Labels of an object that a Prometheus selects, with those it is told to look for: (list $ "operator"). */}}
{{- define "leeway.monitoringLabels" -}}
{{- merge (include "leeway.labels" . | fromYaml) (index . 0).Values.monitoring.labels | toYaml -}}
{{- end -}}

{{/*
The Gateway whose proxies this release has scraped, as JSON {name, namespace}; empty where there is none of Envoy
Gateway's. A release of models alone leaves the Gateway that it shares to the platform's: scraped twice, it would
count twice.
*/}}
{{- define "leeway.scrapedGateway" -}}
{{- $gateway := .Values.gateway -}}
{{- $ours := or $gateway.create (and .Values.operator.enabled $gateway.parentRef.name) -}}
{{- if and $ours $gateway.envoy.enabled (.Capabilities.APIVersions.Has "gateway.envoyproxy.io/v1alpha1/EnvoyProxy") -}}
{{- include "leeway.gateway" . -}}
{{- end -}}
{{- end -}}
