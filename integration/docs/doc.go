// Package docs holds the documentation to its word: every command that a page
// shows runs against the emulated two hubs, or is named with the test that runs
// it elsewhere; every command that is mentioned exists; every link resolves.
//
// Promise: a page that shows a command which fails, or which nothing runs, fails
// the tests. The lab belongs to the test that brings it up. What commands print
// is not compared with what pages say they print.
package docs
