{{/* Takes (dict "root" $ "component" "scheduler"). */}}
{{- define "zfarm.schedulerEnv" -}}
{{ include "zfarm.commonEnv" . }}
{{ include "zfarm.storeEnv" .root }}
- { name: SCHEDULER_ID, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: AUTOSCALER, value: {{ .root.Values.autoscaler.kind }} }
- { name: AUTOSCALER_FILE, value: /etc/zfarm/autoscaler/autoscaler.json }
{{- if eq .root.Values.autoscaler.kind "keda" }}
- { name: AUTOSCALER_KEDA_PORT, value: "50052" }
{{- with .root.Values.autoscaler.keda.tls }}
{{- if .existingSecret }}
- { name: AUTOSCALER_KEDA_TLS_CERT_FILE, value: /etc/zfarm/keda/tls.crt }
- { name: AUTOSCALER_KEDA_TLS_KEY_FILE, value: /etc/zfarm/keda/tls.key }
{{- end }}
{{- if .clientSecret }}
- { name: AUTOSCALER_KEDA_TLS_CA_FILE, value: /etc/zfarm/keda/ca.crt }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
