{{/*
Takes (dict "root" $ "component" "gateway"). Uploads lie below their volume and not in it: that is
root's and open to all, and a gateway takes them into a folder of its own only.
*/}}
{{- define "zfarm.gatewayEnv" -}}
{{ include "zfarm.commonEnv" . }}
{{ include "zfarm.storeEnv" .root }}
- { name: GATEWAY_PORT, value: "50051" }
- { name: GATEWAY_REFLECTION, value: {{ .root.Values.gateway.reflection | quote }} }
- { name: GATEWAY_UPLOAD_DIR, value: /var/lib/zfarm/uploads/own }
{{- end -}}
