// Package config reads nvad.toml into a validated [Config], prints a Config in
// its normalised form, and tells two of them apart.
//
// Promise: every error of a file is reported at once, each with file, line and
// key; a Config that was returned without error can be run. What Print writes
// parses back to the same Config.
//
// The package owns no state and touches nothing but the file it is given.
package config
