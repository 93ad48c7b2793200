#!/bin/sh
# Copies what an image needs of this repository: manifests, from which packages are installed, and
# sources with the small model. Apart, so that a changed source installs nothing anew.
# Usage: take-apart.sh REPOSITORY MANIFESTS SOURCES
set -eu
cd "$1"
manifests=$2
sources=$3
mkdir -p "$manifests" "$sources"

# The lockfile names all workspaces, and npm installs nothing where one's manifest is missing.
tar -cf - package.json package-lock.json packages/*/package.json services/*/package.json \
  cli/package.json | tar -C "$manifests" -xf -

# Tests and their tools stay behind.
tar --exclude=node_modules --exclude='*.test.ts' --exclude=packages/testing \
  --exclude='packages/*/test' --exclude='services/*/test' --exclude='services/*/testing' \
  -cf - package.json LICENSE packages services cli models/z-image-nano tools/servers |
  tar -C "$sources" -xf -
