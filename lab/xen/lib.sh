# shellcheck shell=bash disable=SC2034 # Read by those who source it.
# What the lab's scripts share. Everything that they make lives below $cache.
set -euo pipefail

lab="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$lab/../.." && pwd)"
: "${RACKFIRE_LAB_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/rackfire-xen-lab}"
cache="$RACKFIRE_LAB_DIR"
run="$cache/run"

# The lab's own network: .254 is this machine, .1 and .2 are the hosts, guests are from .100 on.
netns=rfxen
bridge=rfxen0
subnet=10.77.0

say() {
  printf 'lab: %s\n' "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

# Changes when anything that goes into the image does: the scripts and overlays, not what is installed at boot.
image_key() {
  (cd "$lab/image" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c -12
}

image="$cache/image-$(image_key)"
keys="$image/keys"
