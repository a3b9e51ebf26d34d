# The largest folders directly below a path, and how full the drive is that holds it.
set -u
. "$MUSTER/output.sh"

path=${MUSTER_INPUT_PATH:-/var}
if [ ! -d "$path" ]; then
  echo "there is no folder $path" >&2
  exit 1
fi

read -r size free < <(df --block-size=1 --output=size,avail -- "$path" | tail -n 1)
muster_output size free_space "$free"
muster_output ratio used_share "$(awk -v size="$size" -v free="$free" 'BEGIN { printf "%.4f", (size > 0 ? 1 - free / size : 0) }')"

# One file system, one level; folders that we may not read count as far as we may. Names end with NUL, whatever is in them.
spots=()
largest= largest_size=0
while IFS=$'\t' read -r -d '' bytes folder; do
  [ "$folder" = "$path" ] && continue
  if [ -z "$largest" ]; then largest=$folder largest_size=$bytes; fi
  spots+=("$(numfmt --to=iec --suffix=B "$bytes") $folder")
  [ "${#spots[@]}" -ge 5 ] && break
done < <(du --null --one-file-system --max-depth=1 --block-size=1 -- "$path" 2>/dev/null | sort -z -n -r)

muster_output string largest_folder "$largest"
muster_output size largest_folder_size "$largest_size"
muster_output string_list hot_spots ${spots[@]+"${spots[@]}"}
