# make          builds ./ovn-replay
# make demo     replays the embedded recorded session
# make test     installs what the tests need (Debian packages, as root) and runs them
# make lint     formatting, width of lines, vet, staticcheck, dead code, a build for each of PLATFORMS
# make check    builds, lints and runs the fast tests: before each commit
# make golden   rewrites every golden file: read the diff
# make parity   compares trace with Debian's ovn-trace on 2,000 made-up packets
# RELEASE=sid make parity-release   compares with a newer Debian's
# make bench    the goals table against ovn-trace, into docs/BENCH.md; benchmarks: those of packages
# make fuzz     each fuzz target for FUZZTIME; lists those that failed

GO       ?= go
FUZZTIME ?= 60s
PACKAGES  = ovn-central ovn-host openvswitch-switch tshark tcpdump iproute2 nftables conntrack chromium
PLATFORMS = darwin/arm64 windows/amd64 freebsd/amd64 linux/arm64
TOOLS     = ovn-trace ovn-northd ovsdb-server ovs-vswitchd tshark tcpdump ip nft conntrack chromium

.PHONY: all man dist demo test check golden deps lint format lines built vet staticcheck deadcode elsewhere fast \
	parity parity-release bench benchmarks fuzz clean

all: ovn-replay

ovn-replay: FORCE
	$(GO) build -trimpath -o $@ ./cmd/ovn-replay
FORCE:

demo: ovn-replay
	./ovn-replay demo

# Manual pages, in man/.
man: ovn-replay
	./ovn-replay man man

# Static binaries with checksums, archives with manual pages and completions, and
# deb and rpm packages (with nfpm), in dist/.
dist:
	GO="$(GO)" packaging/dist.sh

# Tests that run side by side have whole databases in memory: four of a package, however many cores.
# lint has vetted them.
test: deps lint
	$(GO) test -vet=off -parallel 4 -timeout 12m ./...

# What takes long, or needs the tools of deps, is left to "make test".
SLOW = Oracle|Against|Mutated|Recorded|Ratios|Parity|Session|Snapshot|Killed|Show|Fuzz|Wild|Case|Actions|Every|\
Databases|BadMemory|Crowd|Damaged|Shapes|Random|SameNetwork|ACaptureLess|Saved|KeepTruth|AgreeWith|Flipped|Flood|\
Tshark|Hostile|OfCompressed|MaxMemory|ShelfErrors|Expressions|Soup|Servers|ServerErrors|XZ|Bomb|Truncation|Underlay
empty =

# What needs one core most of the time goes side by side. Instead of the builds for other systems
# a test type-checks for them.
check:
	@$(MAKE) --no-print-directory -j2 -O deadcode format staticcheck vet fast

# vet has found fault with tests, and compiled what they need.
fast: vet
	GOGC=200 $(GO) test -vet=off -skip '$(subst $(empty) ,,$(SLOW))' \
		$$($(GO) list ./... | grep -v -e /cmd/ -e /testdata/)

golden:
	$(GO) test $$(git grep -l '"ovnreplay/testdata/golden"' -- '*_test.go' | xargs -n1 dirname | sort -u | \
		sed 's|^|./|') -update

# Tests against real OVN and Open vSwitch need root. Without it they are
# skipped, and this says so.
deps:
	@missing=; \
	for t in $(TOOLS); do PATH=$$PATH:/usr/sbin:/sbin command -v $$t >/dev/null || missing="$$missing $$t"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
		echo "installing: $(PACKAGES) (missing:$$missing)"; \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES); \
	else \
		echo "*** NOT ROOT: cannot install$$missing; tests against real OVN will be SKIPPED ***" >&2; \
	fi

# Compilers and linters have more memory than they need, and take a quarter less time with it.
lint check: export GOGC = 400

lint: format lines vet staticcheck deadcode elsewhere

format:
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "not gofmt-ed: $$files" >&2; exit 1; }

lines:
	$(GO) test -run '^TestLines$$' ./sim

built:
	$(GO) build ./...

vet: built
	$(GO) vet ./...

staticcheck: built
	$(GO) tool staticcheck ./...

deadcode:
	@dead=$$($(GO) tool deadcode -test ./...); test -z "$$dead" || { echo "dead code:"; echo "$$dead"; exit 1; } >&2

# Builds for each other system, and vets, which looks at tests, too.
elsewhere: built
	@for p in $(PLATFORMS); do \
		for c in build vet; do \
			GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) $$c ./... || \
			{ echo "does not build for $$p, or its tests do not" >&2; exit 1; }; \
		done; \
	done

LONG = -run Parity -v -count 1 -timeout 30m

# DATABASES names more Southbound databases, patterns separated by colons.
parity:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && $(GO) run ./testdata/bigdb -o "$$dir/sb.db" && \
	OVN_REPLAY_PARITY=2000 OVN_REPLAY_DATABASES="$$dir/sb.db:$(DATABASES)" $(GO) test $(LONG) ./cmd/ovn-replay

# With another Debian's ovn-trace, in a root that the lab makes: RELEASE=sid make parity-release
parity-release:
	@root=$${ROOTS:-/var/lib/ovn-replay-lab}/$(RELEASE) && \
	{ [ -d "$$root/usr" ] || RELEASE=$(RELEASE) testdata/lab/lab.sh deps; } && \
	mount --bind /tmp "$$root/tmp" && trap 'umount "$$root/tmp"' EXIT && \
	OVN_REPLAY_ROOT="$$root" OVN_REPLAY_PARITY=2000 $(GO) test $(LONG) ./cmd/ovn-replay

# One table, each row a ratio to ovn-trace in the same run, added to docs/BENCH.md
# with date, commit and machine; SHORT=-short is what a CI runs, and fails on ratios.
bench: ovn-replay
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	$(GO) run ./testdata/bigdb -o "$$dir/sb.db" -measure ./ovn-replay && \
	PATH=$$PATH:/usr/sbin $(GO) run ./testdata/bench -program ./ovn-replay -big "$$dir/sb.db" $(SHORT) \
		$(if $(SHORT),,-append docs/BENCH.md)

# Go benchmarks of the packages.
benchmarks:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Goes on after a failure; what failed is listed at the end. Each failure's input
# is kept in its package's testdata/fuzz: mend it, and give the file a name.
fuzz:
	@failed=; for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || failed="$$failed $$p:$$f"; \
		done; \
	done; \
	if [ -n "$$failed" ]; then \
		echo "failed:" >&2; for f in $$failed; do echo "  $$f" >&2; done; exit 1; \
	fi

clean:
	rm -rf ovn-replay dist man
