# Every target works from a fresh checkout with Go alone; "make" lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X mailmove/cmd.version=$(VERSION) -X mailmove/cmd.commit=$(COMMIT)
SEED    ?= 1
MINUTES ?= 5

# SQLite's C code in Go is 30 times slower with race checks, and has no goroutines of its own to race.
RACEFLAGS = -race -gcflags='modernc.org/...=-race=false'

.DEFAULT_GOAL := help
.PHONY: help build demo test lint e2e bench microbench docs notices clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## one static binary: bin/mailmove
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/mailmove ./cmd/mailmove

demo: build ## move a sample mailbox between two servers that live in the command
	bin/mailmove demo

test: ## all tests, with the race detector and isolated real servers
	.ci/test $(RACEFLAGS)

lint: ## formatting, vet, staticcheck, tidy, import arrows, documents of the commands, licence notices
	.ci/lint

e2e: ## MINUTES of random passes with faults, from SEED
	MAILMOVE_E2E_SEED=$(SEED) MAILMOVE_E2E_MINUTES=$(MINUTES) .ci/e2e

bench: build ## beside other tools, ROUNDS=5 LINES='first S' (docs/benchmarks.md)
	ROUNDS='$(ROUNDS)' LINES='$(LINES)' PEERS='$(PEERS)' LIMIT='$(LIMIT)' IMAPSYNC='$(IMAPSYNC)' .ci/bench

microbench: ## Go benchmarks: framing, parsing, appending, matching, the ledger
	CGO_ENABLED=0 $(GO) test -trimpath -run '^$$' -bench . -benchmem ./imapx/... ./sync ./state

docs: ## write docs/commands, docs/man, docs/exit-codes.md and the golden help anew
	CGO_ENABLED=0 $(GO) test -trimpath -count=1 -run 'TestDocs|TestHelp|TestExitCodesAreDocumented' ./cmd -update

notices: ## write docs/THIRD_PARTY_NOTICES.md anew
	CGO_ENABLED=0 $(GO) run -trimpath .ci/notices/main.go > docs/THIRD_PARTY_NOTICES.md.new
	mv docs/THIRD_PARTY_NOTICES.md.new docs/THIRD_PARTY_NOTICES.md

clean: ## remove what the targets made
	rm -rf bin .cache
