// Package route holds the values every other package talks about: prefixes,
// path attributes and their one text form.
//
// Promise: an [Attrs] that came out of an [Interner] is immutable, and two of
// them are equal exactly when their pointers are. Everything that compares,
// caches or groups routes by attribute set relies on that.
//
// The package owns no state apart from what an Interner remembers, knows no
// clock and does no I/O. It does not decide between routes (package rib) and
// does not match or change them (package policy).
package route
