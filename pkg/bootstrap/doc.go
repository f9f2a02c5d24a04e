// Package bootstrap writes the first nvad.toml of an NVA in Azure: what the
// metadata service knows of the VM, with what only the operator knows (Route
// Server, the other NVAs), becomes a complete configuration that nvad takes.
//
// A file is written whole or not at all, and never over one that somebody has
// changed since. It starts nothing: the daemon reads the file as any other. It
// keeps no state but the mark in the file.
package bootstrap
