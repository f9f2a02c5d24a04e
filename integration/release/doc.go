// Package release tests what users download: the files of a release, with their checksums and
// signature, for every architecture.
//
// The tests make real releases, of copies of this tree in repositories of their own and with
// keys of GnuPG that exist only during the test. They show what is refused before anything is
// built, what a release consists of, and that a build elsewhere, with an empty build cache,
// gives the same bytes. Whether the package works on a machine is tested in package service.
package release
