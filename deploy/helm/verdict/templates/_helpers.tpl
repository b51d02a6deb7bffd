{{- define "verdict.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "verdict.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "verdict.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "verdict.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "verdict.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "verdict.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "verdict.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What must be said, and what contradicts itself. A default that lets everybody in, or decides by examples, is none. */ -}}
{{- define "verdict.check" -}}
{{- $sources := 0 -}}
{{- with .Values.policies -}}
{{- $sources = add (ternary 1 0 (not (empty .files))) (ternary 1 0 (ne .configMap "")) (ternary 1 0 .embeddedExamples) (ternary 1 0 (not (empty $.Values.bundles))) -}}
{{- end -}}
{{- if ne (int $sources) 1 -}}
{{- fail "say what decides, by one of `policies.files`, `policies.configMap`, `bundles`, and to try it `policies.embeddedExamples=true`" -}}
{{- end -}}
{{- if ne .Values.mode "sidecar" -}}
{{- if and (not .Values.tls.secretName) (not .Values.insecure) -}}
{{- fail "name the Secret of its certificate by `tls.secretName`; where a mesh protects the network, `insecure=true`" -}}
{{- end -}}
{{- if and .Values.tls.secretName .Values.insecure -}}
{{- fail "`tls.secretName` and `insecure` exclude each other" -}}
{{- end -}}
{{- else if empty .Values.sidecar.container -}}
{{- fail "mode `sidecar` needs the service's own container: `sidecar.container`" -}}
{{- end -}}
{{- end -}}

{{- define "verdict.config" -}}
{{- $beside := eq .Values.mode "sidecar" -}}
{{- $host := ternary "127.0.0.1" "0.0.0.0" $beside -}}
{{- $grpc := dict "address" (printf "%s:9191" $host) -}}
{{- $http := dict "address" (printf "%s:8181" $host) -}}
{{- $config := dict "log" (dict "format" "json") "admin" (dict "address" "unix:/run/verdict/admin/admin.sock") -}}
{{- if not $beside -}}
{{- if .Values.tls.secretName -}}
{{- range $door := list $grpc $http -}}
{{- $_ := set $door "tls_cert_file" "/etc/verdict/tls/tls.crt" -}}
{{- $_ := set $door "tls_key_file" "/etc/verdict/tls/tls.key" -}}
{{- $_ := set $door "tls_min_version" $.Values.tls.minVersion -}}
{{- if $.Values.tls.clientCa -}}
{{- $_ := set $door "tls_client_ca_file" "/etc/verdict/tls/ca.crt" -}}
{{- end -}}
{{- end -}}
{{- if .Values.tls.clientCa -}}
{{- $_ := set $http "tls_client_optional" true -}}
{{- end -}}
{{- else -}}
{{- $_ := set $config "server" (dict "insecure" true) -}}
{{- end -}}
{{- if .Values.callers.required -}}
{{- $callers := dict "required" true "grants_file" "/etc/verdict/callers/grants.yaml" -}}
{{- if .Values.callers.keysSecret -}}
{{- $_ := set $callers "keys_file" "/etc/verdict/keys/keys" -}}
{{- end -}}
{{- $_ := set $config "callers" $callers -}}
{{- end -}}
{{- end -}}
{{- $policies := dict "default" .Values.policies.default -}}
{{- if or .Values.policies.files .Values.policies.configMap -}}
{{- $_ := set $policies "path" "/etc/verdict/policies" -}}
{{- end -}}
{{- if .Values.bundles -}}
{{- $_ := set $config "bundles" (merge (dict "store" "/var/lib/verdict/bundles") (deepCopy .Values.bundles)) -}}
{{- end -}}
{{- $_ := set $config "grpc" $grpc -}}
{{- $_ := set $config "http" $http -}}
{{- $_ := set $config "policies" $policies -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{- /* Verdict's own container; `sidecar` makes it one that starts before the others. */ -}}
{{- define "verdict.container" -}}
{{- $beside := eq .Values.mode "sidecar" -}}
{{- $scheme := ternary "HTTPS" "HTTP" (ne .Values.tls.secretName "") -}}
name: verdict
image: {{ include "verdict.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if $beside }}
restartPolicy: Always
{{- end }}
args: [serve]
env:
  - name: VERDICT_CONFIG
    value: /etc/verdict/verdict.yaml
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if $beside }}
# The kubelet asks from outside of the pod, where nothing listens: these run in it.
startupProbe:
  exec:
    command: [/usr/local/bin/verdict, healthcheck]
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  exec:
    command: [/usr/local/bin/verdict, healthcheck, --live]
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  exec:
    command: [/usr/local/bin/verdict, healthcheck]
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- else }}
ports:
  - name: grpc
    containerPort: 9191
  - name: http
    containerPort: 8181
startupProbe:
  httpGet:
    path: /health/live
    port: http
    scheme: {{ $scheme }}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /health/live
    port: http
    scheme: {{ $scheme }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /health/ready
    port: http
    scheme: {{ $scheme }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
lifecycle:
  preStop:
    sleep:
      seconds: 5
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: config
    mountPath: /etc/verdict/verdict.yaml
    subPath: verdict.yaml
    readOnly: true
  {{- if or .Values.policies.files .Values.policies.configMap }}
  - name: policies
    mountPath: /etc/verdict/policies
    readOnly: true
  {{- end }}
  {{- if not $beside }}
  {{- if .Values.callers.required }}
  - name: callers
    mountPath: /etc/verdict/callers
    readOnly: true
  {{- if .Values.callers.keysSecret }}
  - name: keys
    mountPath: /etc/verdict/keys
    readOnly: true
  {{- end }}
  {{- end }}
  {{- if .Values.tls.secretName }}
  - name: tls
    mountPath: /etc/verdict/tls
    readOnly: true
  {{- end }}
  {{- end }}
  - name: run
    mountPath: /run/verdict
  - name: store
    mountPath: /var/lib/verdict
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "verdict.pod" -}}
{{- $beside := eq .Values.mode "sidecar" -}}
metadata:
  labels:
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "verdict.selector" . | nindent 4 }}
  annotations:
    # The configuration is read once: another one starts other pods.
    verdict/config: {{ include "verdict.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "verdict.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if eq .Values.mode "deployment" }}
  topologySpreadConstraints:
    {{- with .Values.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "verdict.selector" . | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- if $beside }}
  initContainers:
    -
      {{- include "verdict.container" . | nindent 6 }}
  containers:
    - {{- toYaml .Values.sidecar.container | nindent 6 }}
  {{- else }}
  containers:
    -
      {{- include "verdict.container" . | nindent 6 }}
  {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "verdict.name" . }}-config
    {{- if or .Values.policies.files .Values.policies.configMap }}
    - name: policies
      configMap:
        name: {{ .Values.policies.configMap | default (printf "%s-policies" (include "verdict.name" .)) }}
    {{- end }}
    {{- if not $beside }}
    {{- if .Values.callers.required }}
    - name: callers
      configMap:
        name: {{ include "verdict.name" . }}-callers
    {{- if .Values.callers.keysSecret }}
    - name: keys
      secret:
        secretName: {{ .Values.callers.keysSecret }}
        defaultMode: 0440
    {{- end }}
    {{- end }}
    {{- if .Values.tls.secretName }}
    - name: tls
      secret:
        secretName: {{ .Values.tls.secretName }}
        defaultMode: 0440
    {{- end }}
    {{- end }}
    - name: run
      emptyDir:
        medium: Memory
        sizeLimit: 1Mi
    - name: store
      emptyDir:
        sizeLimit: {{ .Values.store.sizeLimit }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
