#!/bin/sh
# Makes the root of a base image without any registry of images: Debian's packages, Node and npm
# from npm. Needs mmdebstrap, npm and root. Usage: debian-base.sh NODE_VERSION FOLDER
set -eu
version=$1
folder=$(readlink -f "$2")
npm_version=11.21.2
case $(dpkg --print-architecture) in
  amd64) here=x64 ;;
  arm64) here=arm64 ;;
  *) echo "npm has no Node for $(dpkg --print-architecture)" >&2; exit 1 ;;
esac

cd "$folder"
npm pack --silent "node-linux-$here@$version" "npm@$npm_version" > packages
local=root/usr/local
mkdir -p $local/bin $local/lib/node_modules/npm
tar --no-same-owner -xzf "$(sed -n 1p packages)" -C $local/bin --strip-components=2 package/bin/node
tar --no-same-owner -xzf "$(sed -n 2p packages)" -C $local/lib/node_modules/npm --strip-components=1
chmod 755 $local/bin/node $local/lib/node_modules/npm/bin/*-cli.js
ln -s ../lib/node_modules/npm/bin/npm-cli.js $local/bin/npm

# As slim as Debian's slim image: no manuals, no translations, and licences kept.
mmdebstrap --quiet --variant=minbase --customize-hook="tar -C root -cf - . | tar -C \"\$1\" -xf -" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  trixie root.tar http://deb.debian.org/debian
printf 'FROM scratch\nADD root.tar /\nCMD ["node"]\n' > Dockerfile
