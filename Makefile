# make help says what there is. Each target sets up what it needs (scripts/setup).

GO ?= go
export GO

# How far 'make soak' and 'make fuzz' go.
TRIALS ?= 200
FUZZTIME ?= 30s

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GOLANGCI_LINT = bin/golangci-lint-v2.15.0

# Go must never write a path of the machine that builds, nor ask git, which
# refuses to answer in a clone that belongs to somebody else.
GOBUILD = $(GO) build -trimpath -buildvcs=false

AGENTS = $(foreach arch,amd64 arm64,internal/guestbin/bin/snug-agent-linux-$(arch))
AGENT_LIMIT = 5500000

# Everything that a binary is built of. The folders are among it, so that a file
# that is gone counts as a change.
SOURCES := go.mod go.sum $(shell find $(filter-out bin/ bench/ docs/ scripts/ test/ tools/,$(wildcard */)) \
	\( -path internal/guestbin/bin -o -name testdata \) -prune -o \
	-type d -print -o -type f ! -name '*_test.go' ! -name '.*' -print)

.DELETE_ON_ERROR:
.PHONY: help build run test e2e soak fuzz lint clean go

help:
	@echo "make build             bin/snug, with the agents in it"
	@echo "make run [CMD='...']   a login shell, or CMD, in a fresh microVM around this folder"
	@echo "make test              every check and every test, VM tests included"
	@echo "make e2e               the tests with programs from npm"
	@echo "make soak              the tests that repeat, $(TRIALS) times each (TRIALS=n)"
	@echo "make fuzz              each fuzz test for $(FUZZTIME) (FUZZTIME=t)"
	@echo "make lint              golangci-lint and shellcheck"
	@echo "make clean             remove what was built"

build: bin/snug

bin/snug: $(AGENTS) $(SOURCES) Makefile | go
	$(GOBUILD) -ldflags '-X github.com/snugvm/snug/internal/cli.version=$(VERSION)' -o $@ ./cmd/snug
	@touch $@

$(AGENTS): internal/guestbin/bin/snug-agent-linux-%: $(SOURCES) Makefile | go
	CGO_ENABLED=0 GOOS=linux GOARCH=$* $(GOBUILD) -ldflags '-s -w' -o $@ ./cmd/snug-agent
	@size=$$(stat -c %s $@ 2>/dev/null || stat -f %z $@); test $$size -le $(AGENT_LIMIT) || \
		{ echo "$@ has $$size bytes, $(AGENT_LIMIT) are allowed: see what it imports" >&2; exit 1; }
	@touch $@

go:
	@scripts/setup build

# The exact exit status is scripts/run's to give: make's own is 2 for any failure.
run: export SNUG_MAKE_CMD := $(value CMD)
run:
	@if [ -n "$$SNUG_MAKE_CMD" ]; then exec scripts/run sh -c "$$SNUG_MAKE_CMD"; else exec scripts/run; fi

# -count=1: the VM tests run bin/snug and QEMU, whose changes Go's test cache
# cannot see. -p 2: no more than two machines' tests at a time.
test:
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	$(GO) vet -tags e2e ./...
	$(GO) tool -modfile=tools/go.mod staticcheck -tags e2e ./...
	GOOS=darwin $(GO) build ./...
	$(GO) test -race -count=1 -p 2 -timeout 25m ./...

e2e:
	@scripts/setup e2e
	@$(MAKE) --no-print-directory build
	$(GO) test -tags e2e -count=1 -p 1 -timeout 30m -v -run '^TestE2E' ./test/...

# The packages whose tests know -trials.
soak:
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	$(GO) test -race -count=1 -p 1 -timeout 4h -v \
		$$(grep -rl --include='*_test.go' '"trials"' . | xargs -r -n 1 dirname | sort -u) -args -trials=$(TRIALS)

# Concurrent code never covers the same twice: the search for a smaller input of
# the same coverage, a minute by default, would take all the time.
fuzz: | go
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | \
	while read -r folder name; do \
		echo "$$folder $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$folder" || exit 1; \
	done

lint: $(GOLANGCI_LINT)
	@scripts/setup lint
	$(GOLANGCI_LINT) run
	shellcheck scripts/* .ci/run

$(GOLANGCI_LINT): | go
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(@:bin/golangci-lint-%=%)
	@mv bin/golangci-lint $@

clean:
	rm -rf bin $(AGENTS)
