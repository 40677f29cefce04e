# Makes a SIF file of the host's own shell and runs it as an ordinary user: nothing is fetched. Run by root, with mounts of its
# own. $1: the program; $2: its configuration; $3: a file to try in place of that, or nothing; $4: who was given ids, or nobody.
set -eu
program=$1 config=$2 new=${3-} fake=${4-}
folder=$(mktemp -d /tmp/slipway-try.XXXXXX)
trap 'rm -rf "$folder"' EXIT
chmod 0755 "$folder"
cd "$folder"
# nobody has no home.
as_user() { env HOME="$folder" setpriv "$@" </dev/null; }
value() { sed -n "s/^$1 *= *\([^, ]*\).*/\1/p" "$config" | grep -v '^NULL$' | head -n 1; }
# The connecting user, or nobody where that is root.
user="--reuid=65534 --regid=65534 --clear-groups"
if [ "${SUDO_UID:-0}" != 0 ] && getent passwd "$SUDO_UID" >getent.log; then
  user="--reuid=$SUDO_UID --regid=$SUDO_GID --init-groups"
  chown "$SUDO_UID" .
else
  chown 65534 .
fi
for file in /bin/sh $(ldd /bin/sh | grep -o '/[^ ):]*'); do
  mkdir -p "root$(dirname "$file")"
  cp -L "$file" "root$file"
done
mkdir -p root/dev root/etc root/home root/proc root/root root/sys root/tmp root/var/tmp
: >root/etc/passwd >root/etc/group
[ -z "$new" ] || mount --bind "$new" "$config"
# Where and whose images may be, with the setuid program.
place=$(value 'limit container paths')
[ -z "$place" ] || mount --bind "$folder" "$place"
image=${place:-$folder}/image.sif
as_user $user "$program" build --force image.sif root >build.log 2>&1 || { cat build.log >&2; exit 1; }
chown "$(value 'limit container owners'):$(value 'limit container groups')" image.sif
[ "$(as_user $user "$program" exec --no-home "$image" /bin/sh -c 'echo works')" = works ]
if [ -n "$fake" ]; then
  echo "as $fake, with --fakeroot:" >&2
  chown "$fake" .
  ids='while read -r _ _ count; do ids=$((${ids-0} + count)); done </proc/self/uid_map; echo $((ids > 65535))'
  [ "$(as_user --reuid="$(id -u "$fake")" --regid="$(id -g "$fake")" --init-groups \
    "$program" exec --fakeroot --no-home "$image" /bin/sh -c "$ids")" = 1 ]
fi
echo "container works"
