# The state of a service, and, if asked for, a restart of it.
set -u
. "$MUSTER/output.sh"

service=${MUSTER_INPUT_SERVICE:-} mode=${MUSTER_INPUT_MODE:-check}
case $service in
  '' | -* | *[!A-Za-z0-9@._:-]*)
    echo "'$service' is no name of a service" >&2
    exit 1
    ;;
  *.socket | *.timer | *.target | *.mount | *.automount | *.path | *.slice | *.scope | *.swap | *.device)
    echo "only services are restarted, and $service is none" >&2
    exit 1
    ;;
esac
unit=${service%.service}.service

if ! command -v systemctl > /dev/null; then
  echo "this device has no systemd" >&2
  exit 1
fi
property() { systemctl show --property="$1" --value -- "$unit"; }
loaded=$(property LoadState) || exit 1
if [ "$loaded" != loaded ]; then
  echo "there is no service $service (it is ${loaded:-unknown})" >&2
  exit 1
fi

before=$(property ActiveState) restarted=false failed=0
if [ "$mode" = restart ]; then
  if systemctl restart -- "$unit"; then restarted=true; else failed=1; fi
fi
muster_output string state_before "$before"
muster_output string state_after "$(property ActiveState)"
muster_output bool restarted "$restarted"
exit "$failed"
