#!/usr/bin/env bash
# Licences, banned crates, sources and advisories of all dependencies, by cargo-deny. Installs it under the
# target folder where it is missing.
set -euo pipefail

version=0.20.2
tools=${CARGO_TARGET_DIR:-target}/tools
PATH=$PATH:$tools/bin

if ! command -v cargo-deny >/dev/null; then
  echo "deny: installing cargo-deny $version"
  # A folder of its own: it shares no dependency with the project. Unoptimised it builds in half the time.
  CARGO_TARGET_DIR=$tools/build CARGO_PROFILE_DEV_DEBUG=false \
    cargo install --quiet --locked --debug --root "$tools" cargo-deny --version "$version"
  rm -rf "$tools/build"
fi

cargo deny --locked check licenses bans sources

# Advisories come from a git repository. Only where that cannot be reached does this step pass without them.
if timeout 180 cargo deny --locked fetch db; then
  cargo deny --frozen check advisories
else
  echo "deny: ADVISORIES NOT CHECKED: the advisory database could not be fetched (no network?)"
fi
