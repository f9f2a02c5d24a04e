// Package stable compares the interface of nvad with that of the last release: whatever
// docs/compatibility.md calls stable must still be there.
//
// The interface is a list of lines in testdata/released.txt, read from the descriptors of
// proto/nvad/v1, from the generated references in docs, and from the golden files of
// nvactl's JSON. Lines may be added at any time; a line that is gone or has changed fails
// the test. A release writes the list anew.
package stable
