#!/bin/sh
# Installs the production dependencies of the manifests in a folder, for the machine it runs on.
# Usage: install-modules.sh FOLDER
set -eu
cd "$1"

# Of a network whose proxy signs for the registry with an authority of its own.
authorities=/run/secrets/ca-certificates
if [ -f "$authorities" ]; then export NODE_EXTRA_CA_CERTS="$authorities"; fi

# No package's own script runs; that of onnxruntime-node would download what add-cuda.sh pins.
ONNXRUNTIME_NODE_INSTALL=skip npm ci --omit=dev --ignore-scripts --prefer-offline \
  --no-audit --no-fund --no-update-notifier
rm -rf packages/testing node_modules/@zfarm/testing node_modules/.package-lock.json

# What only compilers and debuggers read.
find node_modules -type f \( -name '*.d.ts' -o -name '*.d.[cm]ts' -o -name '*.map' \) -delete

# Libraries for other machines than this one are four fifths of that package.
case $(uname -m) in
  x86_64) here=x64 ;;
  aarch64) here=arm64 ;;
  *) echo "no build of onnxruntime-node for $(uname -m)" >&2; exit 1 ;;
esac
runtime=$(ls -d node_modules/onnxruntime-node/bin/napi-v*)
find "$runtime" -mindepth 1 -maxdepth 1 ! -name linux -exec rm -rf {} +
find "$runtime/linux" -mindepth 1 -maxdepth 1 ! -name "$here" -exec rm -rf {} +
test -f "$runtime/linux/$here/onnxruntime_binding.node"
