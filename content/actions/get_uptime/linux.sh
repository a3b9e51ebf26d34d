# How long the device has been up, and how busy it is.
set -u
. "$MUSTER/output.sh"

read -r up _ < /proc/uptime
read -r load _ _ counts _ < /proc/loadavg
longest=$((49 * 86400 * 1000)) # what a duration may be

milliseconds=$(awk -v up="$up" 'BEGIN { printf "%d", up * 1000 }')
[ "$milliseconds" -gt "$longest" ] && milliseconds=$longest
muster_output duration uptime "$milliseconds"
muster_output date_time booted_at "$(awk '$1 == "btime" { print $2 }' /proc/stat)"
muster_output float load "$load"
muster_output uint32 processes "${counts#*/}"
