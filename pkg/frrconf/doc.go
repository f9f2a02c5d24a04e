// Package frrconf turns the configuration of FRR, and the shell script that
// made its VXLAN tunnel, into nvad's.
//
// Promise: the result does to routes what FRR 8.4 did with the same file, also
// where nvad's own default is stricter. Each line of the input is either part
// of the result, or without content (a comment, the end of a block), or told
// as a [Leftover] with the reason. A line that the package does not know is a
// leftover too, never an error.
//
// The package is pure: it takes bytes and gives values, and asks neither the
// kernel nor a running FRR.
package frrconf
