// Package config reads nvad.toml into a validated [Config], prints a Config in
// its normalised form, and tells two of them apart.
//
// Promise: every error of a file is reported at once, each with file, line and
// key; a Config that was returned without error can be run. What Print writes
// parses back to the same Config.
//
// A neighbor inherits the keys of its peer-group; what it gives itself wins, a
// table (import, export) as a whole. Times are whole seconds, as an integer or
// as a duration ("90s").
//
// A key is declared once, as a field in fields_*.go, for reader, printer, diff
// and reference. What no key shows by itself is checked in validate_*.go.
//
// The package owns no state and touches nothing but the file it is given.
package config
