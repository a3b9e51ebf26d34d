# Who is logged in.
set -u
. "$MUSTER/output.sh"

listed=$(who) || exit 1
sessions=0 remote=0 users=()
while read -r user _ rest; do
  [ -n "$user" ] || continue
  sessions=$((sessions + 1)) users+=("$user")
  case $rest in *'(:'*) ;; *'('*) remote=$((remote + 1)) ;; esac # (:0) is a screen of this device
done <<< "$listed"

distinct=()
[ "$sessions" -gt 0 ] && mapfile -t distinct < <(printf '%s\n' "${users[@]}" | sort -u)
muster_output uint32 sessions "$sessions"
muster_output uint32 remote "$remote"
muster_output string_list users ${distinct[@]+"${distinct[@]}"}
