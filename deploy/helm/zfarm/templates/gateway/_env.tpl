{{/* Takes (dict "root" $ "component" "gateway"). */}}
{{- define "zfarm.gatewayEnv" -}}
{{ include "zfarm.commonEnv" . }}
{{ include "zfarm.storeEnv" .root }}
- { name: GATEWAY_PORT, value: "50051" }
- { name: GATEWAY_REFLECTION, value: {{ .root.Values.gateway.reflection | quote }} }
- { name: GATEWAY_UPLOAD_DIR, value: /var/lib/zfarm/uploads }
{{- end -}}
