#!/usr/bin/env bash
# Puts an Asterisk 22 (Debian sid) into a folder of its own, for `make test-asterisk`: scripts/asterisk.sh FOLDER.
# Needs root and debootstrap; nothing outside of the folder changes, and nothing of it is started here.
set -euo pipefail

root=${1:?"usage: scripts/asterisk.sh FOLDER"}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

say() { printf 'asterisk: %s\n' "$*"; }

if [ "$(id -u)" -ne 0 ]; then
  say "only root can change the root folder: run this as root" >&2
  exit 1
fi
if [ -e "$root/installed" ]; then
  say "$(chroot "$root" asterisk -V) is in $root"
  exit 0
fi
if ! [ -e "$root/unpacked" ]; then
  say "unpacking Debian sid into $root"
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase sid "$root" "$mirror" >/dev/null
  touch "$root/unpacked"
fi
say "installing Asterisk"
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
# A proxy or a mirror that apt knows outside is needed inside too.
cp --no-clobber /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update --quiet
chroot "$root" apt-get install --quiet --yes --no-install-recommends asterisk
touch "$root/installed"
say "$(chroot "$root" asterisk -V) is in $root"
