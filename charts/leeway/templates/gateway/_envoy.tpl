{{/* Not empty when the created Gateway may use Envoy Gateway's own kinds. */}}
{{- define "leeway.envoy" -}}
{{- if and .Values.gateway.create .Values.gateway.envoy.enabled (.Capabilities.APIVersions.Has "gateway.envoyproxy.io/v1alpha1/EnvoyProxy") -}}
true
{{- end -}}
{{- end -}}
