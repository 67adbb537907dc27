#!/usr/bin/env bash
# tests/install.sh PACKAGE...: installs Debian's packages, if it may. Otherwise it says which they are, and fails.
set -euo pipefail
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null && { [ -z "$sudo" ] || sudo -n true 2>/dev/null; }; then
    echo "installing $*"
    { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null && exit
fi
echo "These packages could not be installed here. On Debian or Ubuntu: sudo apt-get install $*" >&2
exit 1
