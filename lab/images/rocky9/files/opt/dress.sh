# Turns Debian 12 with dnf into a Rocky-shaped host. Runs once, while the image is built.
set -eu

ln -sf rocky-release /etc/redhat-release
ln -sf rocky-release /etc/system-release
chmod 0644 /usr/lib/os-release /etc/rocky-release
chmod 0755 /usr/bin/update-ca-trust
ln -sf dnf /usr/bin/yum
mkdir -p /etc/yum.repos.d /etc/pki/rpm-gpg /etc/pki/ca-trust/source/anchors /etc/pki/tls/certs /usr/libexec/lab
ln -s /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt
groupadd --system wheel
usermod --append --groups wheel admin

# Debian's tools go out of sight, as on a real one: nothing may take this host for Debian.
dpkg --purge python3-apt
mv /usr/bin/apt* /usr/bin/dpkg* /usr/libexec/lab/
rm -rf /etc/debian_version /etc/dpkg/origins /etc/issue /etc/issue.net /etc/apt/sources.list
cp /etc/rocky-release /etc/issue

rpmbuild --quiet -bb --define '_topdir /tmp/rpm' /opt/rpm/rocky-release.spec
rpm --install --nodeps /tmp/rpm/RPMS/noarch/rocky-release-*.rpm
rm -r /tmp/rpm
