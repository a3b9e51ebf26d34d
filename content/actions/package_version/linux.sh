# Whether a package is installed, and in which version.
set -u
. "$MUSTER/output.sh"

package=${MUSTER_INPUT_PACKAGE:-}
case $package in
  '' | -* | *[!a-z0-9+.:-]*)
    echo "'$package' is no name of a package" >&2
    exit 1
    ;;
esac
if ! command -v dpkg-query > /dev/null; then
  echo "this device has no dpkg" >&2
  exit 1
fi

installed=false version=- architecture=- size=0
while IFS=$'\t' read -r state found kind kilobytes; do
  case $state in
    *' installed') installed=true version=$found architecture=$kind size=$((${kilobytes:-0} * 1024)) ;;
  esac
done < <(dpkg-query --show --showformat='${Status}\t${Version}\t${Architecture}\t${Installed-Size}\n' -- "$package" 2> /dev/null)

muster_output bool installed "$installed"
muster_output string version "$version"
muster_output string architecture "$architecture"
muster_output size installed_size "$size"
