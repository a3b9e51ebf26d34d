# The services that failed.
set -u
. "$MUSTER/output.sh"

if ! command -v systemctl > /dev/null; then
  echo "this device has no systemd" >&2
  exit 1
fi
listed=$(systemctl list-units --type=service --state=failed --plain --no-legend --full) || exit 1

services=()
while read -r unit _; do
  [ -n "$unit" ] && services+=("${unit%.service}")
done <<< "$listed"
muster_output uint32 failed "${#services[@]}"
muster_output string_list services ${services[@]+"${services[@]}"}
