#!/bin/sh
# Static binaries with manual pages and completions, checksums, deb and rpm, in dist/.
# VERSION is what git describes; GO the Go command; NFPM the nfpm command, which
# otherwise go fetches.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
NFPM=${NFPM:-"$GO run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
case $VERSION in [0-9]*.*) number=$VERSION ;; v[0-9]*.*) number=${VERSION#v} ;; *) number=0.0.0~$VERSION ;; esac

rm -rf dist && mkdir -p dist/share/man dist/share/completions
build() { # OS ARCH FILE
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 $GO build -trimpath -ldflags "-s -w -X ovnreplay/sim/annotate.version=$VERSION" -o "$3" ./cmd/ovn-replay
}
build "$($GO env GOHOSTOS)" "$($GO env GOHOSTARCH)" dist/share/ovn-replay
dist/share/ovn-replay man dist/share/man
for shell in bash zsh fish; do dist/share/ovn-replay completion $shell > dist/share/completions/ovn-replay.$shell; done
rm dist/share/ovn-replay

for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}; do
	os=${platform%/*} arch=${platform#*/} name=ovn-replay-$VERSION-$os-$arch
	mkdir -p "dist/$name"
	file=dist/$name/ovn-replay
	[ "$os" != windows ] || file=$file.exe
	build "$os" "$arch" "$file"
	cp -r dist/share/man dist/share/completions LICENSE README.md packaging/kubectl-ovn_replay "dist/$name"
	tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -czf "dist/$name.tar.gz" "$name"
	if [ "$os" = linux ]; then
		mkdir -p "dist/image/$arch" && cp "$file" "dist/image/$arch/ovn-replay"
		for packager in deb rpm; do
			sed -e "s|@ARCH@|$arch|; s|@VERSION@|$number|; s|@BINARY@|$file|" packaging/nfpm.yaml > dist/nfpm.yaml
			$NFPM package --config dist/nfpm.yaml --packager $packager --target dist/
		done
	fi
	rm -rf "dist/$name"
done
cp packaging/Containerfile dist/image/
rm -rf dist/share dist/nfpm.yaml
(cd dist && sha256sum -- *.tar.gz *.deb *.rpm > SHA256SUMS && cat SHA256SUMS)
