# Unpacks an archive beside a version's folder and renames it into place; where that fails, the old folder is there again.
# $1: the place beside it, whose name with .tar.gz is the archive; $2: the version's folder.
set -eu
umask 022
new=$1
tree=$2
old=$new.old
# An earlier attempt may have ended between the two renames.
if [ -d "$old" ] && ! [ -d "$tree" ]; then
  mv -T "$old" "$tree"
fi
rm -rf "$new" "$old"
mkdir "$new"
tar --extract --gzip --numeric-owner --same-owner --same-permissions --file "$new.tar.gz" --directory "$new"
if [ -d "$tree" ]; then
  cd "$tree"
  for kept in etc libexec/*/plugin; do
    [ -d "$kept" ] && find "$kept" -type f -exec cp --parents --no-preserve=all '{}' "$new" ';'
  done
  cd /
  trap '[ -e "$tree" ] || mv -T "$old" "$tree"' EXIT
  mv -T "$tree" "$old"
fi
mv -T "$new" "$tree"
rm -rf "$old" "$new.tar.gz"
