{{/* Environment of a program that sends traces, as list items; empty unless a collector is named. */}}
{{- define "leeway.tracingEnv" -}}
{{- with .Values.tracing.endpoint }}
- {name: LEEWAY_TRACING_ENDPOINT, value: {{ . | quote }}}
- {name: LEEWAY_TRACING_SAMPLE_RATIO, value: {{ $.Values.tracing.sampleRatio | quote }}}
{{- end }}
{{- end -}}

{{/* NetworkPolicy egress rules to the collector of traces, wherever it runs; empty unless one is named. */}}
{{- define "leeway.tracingEgress" -}}
{{- if .Values.tracing.endpoint }}
- ports:
    {{- range .Values.networkPolicy.tracingPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end -}}
