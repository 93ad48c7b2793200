#!/bin/sh
# Puts what an image needs of this repository into a folder: sources, the small model, production
# dependencies. Usage: assemble.sh REPOSITORY TARGET
set -eu
source=$1
target=$2
mkdir -p "$target"

# Tests and their tools stay behind. The manifests of all workspaces go along: the lockfile names
# them, and npm installs nothing where one is missing.
tar -C "$source" --exclude=node_modules --exclude='*.test.ts' \
  --exclude='packages/testing/src' --exclude='packages/*/test' \
  --exclude='services/*/test' --exclude='services/*/testing' \
  -cf - package.json package-lock.json LICENSE packages services cli models tools/servers |
  tar -C "$target" -xf -

# No package's own script runs; that of onnxruntime-node would download what add-cuda.sh pins.
cd "$target"
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
