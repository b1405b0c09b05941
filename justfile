# The commands people type. Each is one line, so that those without just can type the task.

# Lists the commands.
default:
    @just --list

# Format, generated files, tidy, lints, docs.
check:
    cargo xtask check

# Everything CI runs; installs what it needs.
test:
    cargo xtask test

# The tests of the workspace, without clients.
quick:
    cargo xtask quick

# The files made from model/.
codegen:
    cargo xtask codegen

# The rules that compilers do not know.
tidy:
    cargo xtask tidy

# Measures the release build against its promises; `just bench --short` takes half a minute.
bench *ARGUMENTS:
    cargo xtask bench {{ARGUMENTS}}

# Looks for times that tell where wrong input is wrong.
timing *ARGUMENTS:
    cargo xtask timing {{ARGUMENTS}}

# What CI runs, in the same order.
ci:
    cargo xtask ci

# A server for development: account 000000000000, access key test, secret test.
dev:
    cargo run -- dev
