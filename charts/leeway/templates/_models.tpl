{{/*
Every model of the release with its defaults merged and its hostnames settled, as JSON {name: model}. The one place
that reads .Values.models; what contradicts itself is refused here, by name.
*/}}
{{- define "leeway.models" -}}
{{- $models := dict -}}
{{- $owners := dict -}}
{{- range $name, $own := .Values.models -}}
  {{- $model := mergeOverwrite (deepCopy $.Values.modelDefaults) (deepCopy $own) -}}
  {{- $_ := set $model "autoscaling" (mergeOverwrite (deepCopy $.Values.autoscaling) (default dict $own.autoscaling)) -}}
  {{- /* Helm 3.18 and later 3 have numbers of values as texts, of which "0" is true. */ -}}
  {{- $model = toJson $model | fromJson -}}
  {{- if not $model.hostnames -}}
    {{- if not $.Values.gateway.hostname -}}
      {{- fail (printf "models.%s.hostnames: at least one is expected when gateway.hostname is empty" $name) -}}
    {{- end -}}
    {{- $wild := hasPrefix "*." $.Values.gateway.hostname -}}
    {{- $_ := set $model "hostnames" (list (ternary (printf "%s.%s" $name (trimPrefix "*." $.Values.gateway.hostname)) $.Values.gateway.hostname $wild)) -}}
  {{- end -}}
  {{- range $hostname := $model.hostnames -}}
    {{- if hasKey $owners $hostname -}}
      {{- fail (printf "models %s and %s have the same hostname %s; each model needs its own, since they share paths" (get $owners $hostname) $name $hostname) -}}
    {{- end -}}
    {{- $_ := set $owners $hostname $name -}}
    {{- include "leeway.covered" (list $ (printf "models.%s.hostnames" $name) $hostname) -}}
  {{- end -}}
  {{- if and $model.autoscaling.enabled (gt (int $model.scaling.minReplicas) (int $model.autoscaling.maxReplicas)) -}}
    {{- fail (printf "models.%s: scaling.minReplicas %d is above autoscaling.maxReplicas %d" $name (int $model.scaling.minReplicas) (int $model.autoscaling.maxReplicas)) -}}
  {{- end -}}
  {{- $scaling := $model.autoscaling -}}
  {{- if and $scaling.enabled (not (or $scaling.targetCPUUtilizationPercentage $scaling.targetRequestsInFlight $scaling.targetRequestsPerSecond)) -}}
    {{- fail (printf "models.%s.autoscaling: targetCPUUtilizationPercentage, targetRequestsInFlight or targetRequestsPerSecond above 0 is expected, or enabled: false" $name) -}}
  {{- end -}}
  {{- if and (eq $model.capture.mode "kserve") (ne (toString (default 1 $model.capture.sample)) "1") -}}
    {{- fail (printf "models.%s.capture: KServe's logger cannot sample; mode direct is expected beside sample %v" $name $model.capture.sample) -}}
  {{- end -}}
  {{- $_ := set $models $name $model -}}
{{- end -}}
{{- toJson $models -}}
{{- end -}}

{{/* Refuses a hostname that the created Gateway does not answer for: (list $ "models.flights.hostnames" $hostname). */}}
{{- define "leeway.covered" -}}
{{- $gateway := (index . 0).Values.gateway -}}
{{- $hostname := index . 2 -}}
{{- if and $gateway.create $gateway.hostname -}}
  {{- $suffix := trimPrefix "*" $gateway.hostname -}}
  {{- $label := trimSuffix $suffix $hostname -}}
  {{- if not (or (eq $hostname $gateway.hostname) (and (hasPrefix "*." $gateway.hostname) (hasSuffix $suffix $hostname) (not (contains "." $label)))) -}}
    {{- fail (printf "%s: %s is not covered by gateway.hostname %s, so neither the listener nor its certificate would answer for it" (index . 1) $hostname $gateway.hostname) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* The Gateway that models attach to, as JSON {name, namespace}. */}}
{{- define "leeway.gateway" -}}
{{- if .Values.gateway.create -}}
{{- dict "name" (include "leeway.fullname" .) "namespace" .Release.Namespace | toJson -}}
{{- else -}}
{{- $name := required "gateway.parentRef.name: the name of an existing Gateway is expected when gateway.create is false and models are given" .Values.gateway.parentRef.name -}}
{{- dict "name" $name "namespace" (default .Release.Namespace .Values.gateway.parentRef.namespace) | toJson -}}
{{- end -}}
{{- end -}}

{{/* Labels of an object that belongs to one model: (list $ $name). */}}
{{- define "leeway.modelLabels" -}}
{{ include "leeway.labels" (list (index . 0) "model") }}
leeway.dev/model: {{ index . 1 }}
{{- end -}}

{{/* What a model server is run as; its name is made from this. */}}
{{- define "leeway.runtimeSpec" -}}
supportedModelFormats:
  - {name: onnx, version: "1", autoSelect: false}
protocolVersions: [v1, v2]
{{- with (include "leeway.imagePullSecrets" .) }}
imagePullSecrets:
  {{- . | trim | nindent 2 }}
{{- end }}
{{- with .Values.servingRuntime.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.servingRuntime.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: kserve-container
    image: {{ include "leeway.image" (list . .Values.images.onnxServer) }}
    imagePullPolicy: {{ .Values.images.pullPolicy }}
    args:
      # KServe fills this in from the InferenceService's labels: both slots serve the model under one name.
      - --model-name={{ "{{" }}.Labels.modelname{{ "}}" }}
      - --model-dir=/mnt/models
      - --http-port=8080
      - --metrics-port=8082
    env:
      - {name: LEEWAY_LOG_LEVEL, value: {{ include "leeway.logLevel" (list . "onnxServer") }}}
      {{- with (include "leeway.tracingEnv" .) }}
      {{- . | nindent 6 }}
      {{- end }}
      - name: POD_NAMESPACE
        valueFrom:
          fieldRef: {fieldPath: metadata.namespace}
    ports:
      - {name: http1, containerPort: 8080, protocol: TCP}
    # Alive says the process answers; only ready says that the bundle was verified and its golden requests agree.
    startupProbe:
      httpGet: {path: /v2/health/live, port: 8080}
      periodSeconds: 1
      failureThreshold: 120
    # Probes are answered in their turn. A server that is overloaded for a moment stays: its share would overload the
    # others, and the last one that left would leave its requests to pods that are not ready.
    readinessProbe:
      httpGet: {path: /v2/health/ready, port: 8080}
      periodSeconds: 2
      timeoutSeconds: 5
      failureThreshold: 3
    livenessProbe:
      httpGet: {path: /v2/health/live, port: 8080}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    lifecycle:
      preStop:
        # KServe's logger agent drains for 30 s and still forwards requests here while it does.
        sleep: {seconds: 35}
    # No runAsGroup: KServe gives this container the user of its modelcar sidecar (oci://), and the model is read
    # through that sidecar's /proc/<pid>/root, which the kernel allows only to a process of the same user and group.
    securityContext: {{- omit (include "leeway.containerSecurityContext" . | fromYaml) "runAsGroup" | toYaml | nindent 6 }}
{{- end -}}

{{/* Named by content, and by release: a changed runtime is a new object, never an edit under a running slot. */}}
{{- define "leeway.runtimeName" -}}
{{- $spec := include "leeway.runtimeSpec" . | fromYaml | toJson -}}
leeway-onnx-{{ printf "%s\n%s" .Release.Name $spec | sha256sum | trunc 8 }}
{{- end -}}

{{/* Secret whose ca.crt verifies the Gateway; empty when the system's authorities do. */}}
{{- define "leeway.caSecret" -}}
{{- if .Values.helmTest.caSecret -}}
{{ .Values.helmTest.caSecret }}
{{- else if and .Values.gateway.create (not .Values.gateway.certificate.issuerRef) -}}
{{ include "leeway.fullname" . }}-gateway-tls
{{- end -}}
{{- end -}}
