# Compile Go's source archive, $1, in the folder that this runs in; build.log tells how it went.
exec >build.log 2>&1
# Ansible keeps the state of the job in the home folder, so that is another only in here.
export HOME="$PWD"
# For users, an admin may have set these for all programs; here they would name another Go's library, or flags.
unset GOROOT GOBIN GOTOOLDIR GOOS GOARCH
export GOTOOLCHAIN=local GOFLAGS=
command -v gcc || command -v clang || export CGO_ENABLED=0
umask 022
rm -rf go && tar --extract --gzip --no-same-owner --file "$1" || exit
(cd go/src && bash make.bash) || exit
mv build.log go/build.log
rm -rf go/pkg/obj go/pkg/bootstrap
