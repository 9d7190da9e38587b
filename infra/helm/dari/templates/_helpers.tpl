{{/* Helpers for one program take (dict "root" $ "program" "api"). Names of objects are <release>-<program>. */}}

{{/* Labels that select the pods of a release. */}}
{{- define "dari.releaseLabels" -}}
app.kubernetes.io/name: dari
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels that select the pods of one program. */}}
{{- define "dari.programLabels" -}}
{{ include "dari.releaseLabels" .root }}
app.kubernetes.io/component: {{ .program }}
{{- end }}

{{/* Labels that describe an object but select nothing. */}}
{{- define "dari.describingLabels" -}}
app.kubernetes.io/part-of: dari
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Metadata of an object that belongs to the release as a whole: (dict "root" $ "name" "metrics"). */}}
{{- define "dari.metadata" -}}
name: {{ .root.Release.Name }}-{{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "dari.releaseLabels" .root | nindent 2 }}
  {{- include "dari.describingLabels" .root | nindent 2 }}
{{- end }}

{{/* Metadata of an object that belongs to one program. */}}
{{- define "dari.programMetadata" -}}
{{ include "dari.metadata" (dict "root" .root "name" .program) }}
  app.kubernetes.io/component: {{ .program }}
{{- end }}

{{- define "dari.image" -}}
{{- with .root.Values.image -}}
{{- if not .registry }}
{{- fail "image.registry is empty: Dari has no public images. Build and push yours (docs/cluster.md), and set image.registry to where they are." }}
{{- end -}}
{{ .registry }}/{{ .repository }}-{{ $.program }}:{{ .tag | default $.root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "dari.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{ .Values.publicUrl }}
{{- else if .Values.ingress.enabled -}}
https://{{ .Values.ingress.host }}
{{- else -}}
http://localhost:4870
{{- end -}}
{{- end }}

{{/*
Entries of `env`, each on a line that it begins itself, from (dict "settings" map "elsewhere" names). Settings of a name
in `elsewhere` are refused, because another value of the chart sets them.
*/}}
{{- define "dari.env" -}}
{{- $elsewhere := .elsewhere }}
{{- range $name, $value := .settings }}
{{- with get $elsewhere $name }}
{{- fail (printf "%s cannot be in settings: set %s instead." $name .) }}
{{- end }}
            - { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}

{{/*
Shared settings, as YAML. The API must know the most memory that workers give a turn: by default, the limit of a turn
without runtime.memory.
*/}}
{{- define "dari.settings" -}}
{{- $shared := deepCopy .Values.settings }}
{{- with .Values.worker.settings.DARI_TURN_MEMORY_BYTES }}
{{- $shared = merge $shared (dict "DARI_TURN_MEMORY_MAX_BYTES" .) }}
{{- end }}
{{- toYaml $shared }}
{{- end }}

{{/* Metadata of the pods. A change of the shared settings restarts them. */}}
{{- define "dari.podMetadata" -}}
{{- $annotations := dict "checksum/settings" (include "dari.settings" .root | sha256sum) -}}
labels:
  {{- include "dari.programLabels" . | nindent 2 }}
  app.kubernetes.io/part-of: dari
annotations:
  {{- merge $annotations (index .root.Values .program).podAnnotations | toYaml | nindent 2 }}
{{- end }}

{{/* What the pods of all programs have in common, beside their containers. */}}
{{- define "dari.pod" -}}
{{- $values := index .root.Values .program -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "dari.programLabels" . | nindent 8 }}
{{- end }}

{{/* What the containers of all programs have in common. */}}
{{- define "dari.container" -}}
name: {{ .program }}
image: {{ include "dari.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
envFrom:
  - configMapRef: { name: {{ .root.Release.Name }}-settings }
  - secretRef: { name: {{ .root.Values.secretName }} }
# Liveness: does the process answer? Readiness: can it do its work?
startupProbe:
  httpGet: { path: /healthz, port: health }
  periodSeconds: 2
  failureThreshold: {{ div (int .root.Values.startupSeconds) 2 }}
livenessProbe:
  httpGet: { path: /healthz, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
resources:
  {{- toYaml (index .root.Values .program).resources | nindent 2 }}
{{- end }}

{{/* Where a container's volumes are mounted, and the pod's volumes, in addition to those of the template. */}}
{{- define "dari.volumeMounts" -}}
- { name: tmp, mountPath: /tmp }
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dari.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: {{ (index .root.Values .program).tmpSize }} }
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The user of all programs. */}}
{{- define "dari.podUser" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
{{- end }}

{{/* Rights of a container that runs no agents. */}}
{{- define "dari.containerRights" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* A pod is evicted only while the others run. */}}
{{- define "dari.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "dari.programMetadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "dari.programLabels" . | nindent 6 }}
{{- end }}

{{/*
The replicas that a Deployment has now, if an autoscaler sets them. Without the field, Helm would delete the number at
the switch to the autoscaler, and Kubernetes would start again with one pod. Empty for a new Deployment, and without a
cluster (helm template).
*/}}
{{- define "dari.currentReplicas" -}}
{{- with lookup "apps/v1" "Deployment" .root.Release.Namespace (printf "%s-%s" .root.Release.Name .program) -}}
replicas: {{ .spec.replicas }}
{{- end }}
{{- end }}
