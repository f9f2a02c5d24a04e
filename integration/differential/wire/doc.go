// Package wire is a BGP speaker that says exactly what it is told to and
// remembers exactly what it hears.
//
// It has no table, no policy and no opinion: it judges two routing daemons, so
// it shares no code with either. What it receives is kept octet by octet and
// turned into words only to be compared and printed.
package wire
