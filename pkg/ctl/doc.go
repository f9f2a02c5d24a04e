// Package ctl is the command nvactl: it asks the daemon over its socket and
// prints the answer as tables for people or as JSON for programs.
//
// Promise: tables stay within the width of the terminal, 80 columns where there
// is none; JSON has every key, in the same order, whatever the values are; a
// failure is one line on standard error and exit code 1. The package knows the
// daemon by its gRPC interface only; what a file alone tells (config, policy test)
// it asks the packages that the daemon is made of. It keeps no state.
package ctl
