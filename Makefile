# Every command of Sixpence. `make` alone lists them; `make run` and `make test` are
# the two that a newcomer needs. Written for GNU make 3.81 and a POSIX shell.

# Where bytecode is forbidden, as images of containers like it, every process compiles
# anew all that it imports, and each worker of pytest rewrites every test.
unexport PYTHONDONTWRITEBYTECODE

UV := 0.13.9
PY := .venv/bin/python
WHAT ?=
# With one of these on the path the tests of a real browser run too.
CHROMIUMS := chromium chromium-browser google-chrome google-chrome-stable

.DEFAULT_GOAL := help
.SILENT:
.PHONY: help run phone test check complete chaos floors clients bench schema lock clean for-run for-test

help:
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: for-run ## Start the bank and the outside world on this machine, with demo customers.
	exec $(PY) -m app demo $(ARGS)

phone: for-run ## Play two phones against the running bank; ARGS="watch" for any other command.
	exec $(PY) -m mock_mobile_client $(or $(ARGS),demo)

test: for-test ## Run the whole suite on SQLite, then on PostgreSQL; ARGS="tests/ledger" for a part.
	$(suite)

check: for-test ## Format, lint, types, layers, bench smoke, tests and first floors, as CI does.
	exec $(PY) -m tests.house.gates "$(MAKE)"

# A gate of the check.
complete: for-test
	$(complete)

chaos: for-test ## Run the full figures of the crash, concurrency and random suites.
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 130' INT TERM; \
	XDG_RUNTIME_DIR=$$folder $(PY) -m pytest -m "chaos or hypothesis" --hypothesis-profile=chaos \
	  -p tests.house.closing $(ARGS)

floors: for-test ## Run the suite on SQLite under coverage and hold every file and room to its floor.
	$(floors)

clients: for-test ## Run npm's graphql-ws, Apollo Client and the graphql-http audits on a demo bank.
	$(clients)

bench: for-test ## Measure on loopback and compare with the committed figures; WHAT=home for a part.
	exec $(PY) -m bench $(WHAT) $(ARGS)

schema: for-run ## Reprint the generated files: the contract and the pages made from code.
	$(PY) -m app schema $(ARGS) && exec $(PY) -m tests.house.printed

lock: for-test ## Rewrite both lock files and name what moved; ARGS=--upgrade for the newest.
	$(call compile,requirements.lock,)
	$(call compile,tests/requirements.lock,--group test)
	$(call compile,tests/browser.lock,--group browser -c tests/requirements.lock)

clean: ## Forget the demo bank: removes .sixpence/, never .venv/.
	if [ -d .sixpence ]; then \
	  size=$$(du -sh .sixpence | cut -f1) && rm -rf .sixpence && \
	  echo "Removed .sixpence/ ($$size): the next make run starts a new bank."; \
	else echo "Nothing to remove: there is no .sixpence/."; fi

for-run: $(PY)
	$(call install,requirements.lock,run.lock)

for-test: $(PY)
	$(call install,tests/requirements.lock,test.lock)
	found=; for program in $(CHROMIUMS); do \
	  if command -v $$program >/dev/null 2>&1; then found=yes; fi; \
	done; \
	if [ -n "$$found" ]; then $(call install,tests/browser.lock,browser.lock); fi

# ------------------------------------------------------------------ how it is done

# The first Python from 3.11 on. A half-made environment is taken away again, so that
# the next try begins anew.
$(PY):
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Sixpence needs python3 3.11 or newer: Debian: apt install python3" \
	    "python3-venv; Fedora: dnf install python3; macOS: brew install python." >&2; \
	  exit 2; \
	fi; \
	$$python -m venv .venv >/dev/null 2>&1 || { \
	  rm -rf .venv; \
	  echo "python3 cannot make a virtual environment: Debian: apt install" \
	    "python3-venv; Fedora: dnf install python3; macOS: brew install python." >&2; \
	  exit 2; \
	}

# $(1) lock file, $(2) its stamp in .venv: a copy of the lock that was installed last,
# so only a changed lock installs again. Both installers only add or replace what the
# lock names; neither takes away what the other lock brought.
define install
cmp -s $(1) .venv/$(2) || { \
  echo "Installing $(1) into .venv/ (only when it changed) ..."; \
  log=$$(mktemp) && trap 'rm -f "$$log"' EXIT && trap 'exit 130' INT TERM; \
  pip="$(PY) -m pip --disable-pip-version-check --no-input"; \
  { { .venv/bin/uv --version 2>/dev/null | grep -Eq "^uv $(UV)( |$$$$)" \
      || $$pip install --only-binary :all: uv==$(UV); } \
    && .venv/bin/uv pip install --python $(PY) --require-hashes -r $(1); \
  } >"$$log" 2>&1 || { \
    echo "uv $(UV) could not do it; pip installs the same lock, which takes longer."; \
    $$pip install --require-hashes -r $(1) >"$$log" 2>&1; \
  } || { \
    cat "$$log" >&2; \
    echo "$(1) could not be installed; pip's reasons stand above." >&2; \
    exit 2; \
  }; \
  cp $(1) .venv/$(2); \
}
endef

# $(1) lock file, $(2) what it holds beside the project's own dependencies
define compile
old=$$(mktemp) && trap 'rm -f "$$old" "$$old.new"' EXIT && grep '==' $(1) >"$$old"; \
.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate $(2) $(ARGS) pyproject.toml -o $(1) >/dev/null \
&& grep '==' $(1) >"$$old.new"; \
if diff "$$old" "$$old.new" >/dev/null; then echo "$(1): nothing moved"; \
else echo "$(1):"; diff "$$old" "$$old.new" | sed -n 's/ [;\\].*//; s/^[<>]/  &/p'; fi
endef

# Each engine in a process of its own; PostgreSQL, from a wheel, is started by the tests
# and runs what touches a database. An engine named in ARGS is the only one. Exit code
# 5 says that a part has nothing for PostgreSQL. `make check` leaves to `make test` what
# is told twice and on PostgreSQL the slow ones and four rooms, for ten minutes.
# Tests wait more than they compute, but a worker gathers all of them for itself, and on
# PostgreSQL it starts a server of its own: fewer there. With TOGETHER, as in the check,
# the engines run beside each other, and one computes while the other waits; what
# PostgreSQL's part prints comes after.
define suite
folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 130' INT TERM; \
XDG_RUNTIME_DIR=$$folder; export XDG_RUNTIME_DIR; failed=; \
cores=$$($(PY) -c 'import os; print(min(2, os.cpu_count() or 1))'); \
on() { \
  engine=$$1; shift; \
  workers=$$((cores * 3)); [ -z "$$engine" ] || workers=$$((cores * $(or $(TOGETHER),2))); \
  "$$@" -m pytest -q -p tests.house.closing --closing="$$folder/closing" \
    -n "$$workers" --dist loadfile --no-loadscope-reorder -m "not chaos $(SPARE)$${engine:+ $(LEAVE)}" \
    $$engine $${engine:+$(ELSEWHERE)} $(ARGS); \
  case $$?$$engine in 0*|5--*) ;; *) failed=yes;; esac; \
}; \
$(if $(TOGETHER),{ on --engine=postgres $(PY); [ -z "$$failed" ]; } >"$$folder/beside" 2>&1 & beside=$$!; \
  on "" $(PY); wait $$beside || failed=yes; cat "$$folder/beside";,on "" $(PY); \
  $(if $(findstring --engine,$(ARGS)),,on --engine=postgres $(PY);)) \
cat "$$folder/closing"; [ -z "$$failed" ]
endef

# $(1) --complete for the pure files only, nothing for every floor
define compare
$(PY) -m coverage combine --quiet && \
$(PY) -m coverage json --quiet --fail-under=0 -o "$$folder/coverage.json" && \
$(PY) -m tests.house.floors "$$folder/coverage.json" $(1)
endef

define floors
folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 130' INT TERM; \
COVERAGE_FILE=$$folder/coverage; XDG_RUNTIME_DIR=$$folder; \
export COVERAGE_FILE XDG_RUNTIME_DIR; \
$(PY) -m coverage run -m pytest -q -n auto --maxprocesses 4 --dist loadfile \
  --no-loadscope-reorder -m "not chaos" $(ARGS) && \
$(compare) && echo "Every file and room is above its floor."
endef

# Node and npm are asked for here only; what npm installs stays in tests/clients.
define clients
npm --version >/dev/null 2>&1 || { \
  echo "make clients needs Node 20 or newer with npm: https://nodejs.org." >&2; exit 2; \
}; \
folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 130' INT TERM; \
cmp -s tests/clients/package-lock.json tests/clients/node_modules/.installed || { \
  echo "Installing tests/clients/package-lock.json (only when it changed) ..."; \
  npm --prefix tests/clients ci --ignore-scripts >"$$folder/log" 2>&1 \
    || { cat "$$folder/log" >&2; exit 2; }; \
  cp tests/clients/package-lock.json tests/clients/node_modules/.installed; \
}; \
XDG_RUNTIME_DIR=$$folder $(PY) -m tests.clients.run
endef

# The tests of the files that must be complete, and how much of those ran.
define complete
folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 130' INT TERM; \
COVERAGE_FILE=$$folder/coverage; export COVERAGE_FILE; \
$(PY) -m coverage run -m pytest -q -m "not hypothesis" \
  $$($(PY) -m tests.house.floors --tests) && \
$(call compare,--complete)
endef
