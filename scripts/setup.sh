#!/usr/bin/env bash
# Installs the system packages that are missing, and nothing else: `scripts/setup.sh demo|test|starter|asterisk|nodes`.
# Debian and Ubuntu by apt, with sudo where the user is not root; elsewhere it says what is missing.
set -euo pipefail

build=(g++ cmake make pkg-config libasound2-dev python3 python3-pip)
run=(libflite1 espeak-ng espeak-ng-data)
# A synthesiser that the models never heard in training: the audio suite's held-out callers. Another detector of
# keypad tones, which the bench compares ours with. And a database that the store is tested on.
check=(festival festvox-kdlpc16k libspandsp2 postgresql)
# Telephones that call the line, and the certificates of those that do it by TLS.
phone=(sip-tester baresip-core openssl)
# All that the ear is trained with.
train=(flite libespeak-ng1 festvox-kallpc16k festvox-us-slt-hts python3-venv python3-dev
  festvox-italp16k festvox-itapc16k festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph
  festvox-ru festvox-suopuhe-lj festvox-suopuhe-mv festvox-ca-ona-hts)

purpose=${1:-}
case "$purpose" in
  demo) packages=("${build[@]}" "${run[@]}") ;;
  test) packages=("${build[@]}" "${run[@]}" "${check[@]}" "${phone[@]}") ;;
  starter) packages=("${build[@]}" "${run[@]}" "${check[@]}" "${train[@]}") ;;
  asterisk) packages=("${build[@]}" debootstrap) ;;
  nodes) packages=(kamailio) ;;
  *)
    echo "usage: scripts/setup.sh demo|test|starter|asterisk|nodes" >&2
    exit 2
    ;;
esac

say() { printf 'setup: %s\n' "$*"; }

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# For systems without apt: the programs and libraries that the packages are wanted for.
present() {
  case "$1" in
    libasound2-dev) pkg-config --exists alsa 2>/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    libflite1) ldconfig -p 2>/dev/null | grep -q 'libflite\.so\.1' ;;
    libspandsp2) ldconfig -p 2>/dev/null | grep -q 'libspandsp\.so\.2' ;;
    espeak-ng-data) command -v espeak-ng >/dev/null && espeak-ng --voices=en >/dev/null 2>&1 ;;
    libespeak-ng1) ldconfig -p 2>/dev/null | grep -q 'libespeak-ng\.so\.1' ;;
    sip-tester) command -v sipp >/dev/null ;;
    baresip-core) command -v baresip >/dev/null ;;
    festvox-kallpc16k) voice kal_diphone ;;
    festvox-kdlpc16k) voice ked_diphone ;;
    festvox-us-slt-hts) voice cmu_us_slt_arctic_hts ;;
    festvox-italp16k) voice lp_diphone ;;
    festvox-itapc16k) voice pc_diphone ;;
    festvox-czech-*) voice "czech_${1#festvox-czech-}" ;;
    festvox-ru) voice msu_ru_nsh_clunits ;;
    festvox-suopuhe-lj) voice suo_fi_lj_diphone ;;
    festvox-suopuhe-mv) voice hy_fi_mv_diphone ;;
    festvox-ca-ona-hts) voice upc_ca_ona_hts ;;
    python3-dev) python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

voice() {
  festival --batch "(voice_$1)" >/dev/null 2>&1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "cannot install ${missing[*]}: you are not root and there is no sudo." \
      "As root, run: apt-get install ${missing[*]}"
  fi
}

command -v cargo >/dev/null || fail "cargo is not here: install Rust 1.95 or newer from https://rustup.rs first."
if [ "$purpose" = test ]; then
  for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null || fail "cargo has no $component: install your Rust's $component first."
    rustup component add "$component"
  done
fi

missing=()
if command -v apt-get >/dev/null; then
  for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
else
  for package in "${packages[@]}"; do present "$package" || missing+=("$package"); done
  if [ "${#missing[@]}" -gt 0 ]; then
    fail "this is neither Debian nor Ubuntu, so you have to install what is missing:" \
      "${missing[*]} (Debian's names)" "Then run the same command again."
  fi
fi

if [ "${#missing[@]}" -eq 0 ]; then
  say "all packages are there"
  exit 0
fi
say "installing ${missing[*]}"
# Another apt may be at work on a machine that has just started.
wait_for_lock=(-o DPkg::Lock::Timeout=300)
as_root env DEBIAN_FRONTEND=noninteractive apt-get "${wait_for_lock[@]}" update --quiet
as_root env DEBIAN_FRONTEND=noninteractive apt-get "${wait_for_lock[@]}" install --quiet --yes \
  --no-install-recommends "${missing[@]}"
# A balancer that only tests start: Debian would let it listen on the SIP port from now on.
case " ${missing[*]} " in
  *" kamailio "*) if [ -d /run/systemd/system ]; then as_root systemctl disable --now --quiet kamailio; fi ;;
esac
