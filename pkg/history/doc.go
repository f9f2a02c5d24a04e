// Package history keeps the last configurations of nvad in a directory: the
// text of each, when it came into force, what caused it, and what became of it.
// It also remembers a configuration that waits to be confirmed, so that a crash
// or a restart does not make it stay by mistake.
//
// Promise: what [History.Commit] returned without error for survives a crash,
// as a whole; a text is kept as it was read, with its comments and passwords,
// readable by the owner of the directory only. What a [Record] does next is
// pure; the package reads no clock.
//
// It does not know what a configuration says, applies none, and never touches
// the configuration file.
package history
