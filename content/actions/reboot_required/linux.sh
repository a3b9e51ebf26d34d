# Whether the device waits for a reboot, and why.
set -u
. "$MUSTER/output.sh"

reasons=()
for mark in /run/reboot-required /var/run/reboot-required; do
  if [ -e "$mark" ]; then
    reasons+=("the system asks for it")
    while read -r package; do reasons+=("$package was updated"); done < <(sort -u "$mark.pkgs" 2> /dev/null)
    break
  fi
done

# A kernel is only judged where the running one came from this system: in a container it did not.
running=$(uname -r) newest=
if [ -e "/boot/vmlinuz-$running" ] || [ -d "/lib/modules/$running" ]; then
  newest=$(printf '%s\n' /boot/vmlinuz-* | sed -n 's|^/boot/vmlinuz-\([^*]*\)$|\1|p' | sort -V | tail -n 1)
  [ -n "$newest" ] && [ "$newest" != "$running" ] && reasons+=("kernel $newest is installed, $running runs")
fi

required=false
[ "${#reasons[@]}" -gt 0 ] && required=true
muster_output bool required "$required"
muster_output string_list reasons ${reasons[@]+"${reasons[@]}"}
muster_output string running_kernel "$running"
muster_output string newest_kernel "${newest:--}"
