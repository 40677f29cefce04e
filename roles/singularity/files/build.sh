# Compiles Singularity, or goes on where an attempt stopped; $@: the arguments of mconfig.
set -eu
umask 022
folder=$SLIPWAY_FOLDER
go=$SLIPWAY_GO
build=$folder/source/builddir
export PATH="$go/bin":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset GOROOT GOFLAGS
export GOTOOLCHAIN=local GOCACHE="$SLIPWAY_CACHE/gocache" GOPATH="$SLIPWAY_CACHE/gopath" GOENV=off HOME=/root
cd "$folder/source"
# The makefile would empty Go's cache, since Go does not see that the starter's C sources change; so their sum is made a
# part of what Go sees.
CGO_CFLAGS="-DSLIPWAY_STARTER=$(cat cmd/starter/c/*.c cmd/starter/c/include/*.h | cksum | tr -d ' ')"
export CGO_CFLAGS
# Configured anew where an attempt broke off within mconfig, or had another Go.
if [ "$(cat ../configured 2>/dev/null)" != "$go" ]; then
  rm -rf "$build"
  ./mconfig -b "$build" "$@"
  touch "$build/.clean-starter"
  echo "$go" >../configured
fi
# A folder of manual pages, however few an attempt that broke off has put there, would be taken for done.
rm -rf "$build$SLIPWAY_TREE"
# The programs are position independent but on ppc64le. What make runs for completions and manual pages is then too, or
# every package would be compiled twice.
mode=-buildmode=pie
[ "$(uname -m)" != ppc64le ] || mode=
# -v names each package that is compiled. Variables of the makefile itself, so they must be given as arguments.
run() {
  make -C "$build" GOPROXY="$SLIPWAY_PROXY" GOFLAGS="-mod=$SLIPWAY_MODE -trimpath -v $mode" "$@"
}
# Go itself uses all cores, and what two of it compile at once is compiled twice: the largest program comes first, alone.
if run --dry-run "$build/$SLIPWAY_NAME" >/dev/null 2>&1; then
  run "$build/$SLIPWAY_NAME"
fi
run -j "$(nproc)" all
rm -rf "$folder/stage"
run install DESTDIR="$folder/stage"
