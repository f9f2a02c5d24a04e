// Package docs tests the documentation. Every command that a page shows runs
// against the emulated two hubs, or is listed with the test that runs it elsewhere.
// Every file in docs/recipes.md runs in the lab and does what the page says. Every
// command that a sentence mentions exists, and every link resolves.
//
// A page that shows a command which fails, or which nothing runs, fails the tests.
// What commands print is not compared with the output that pages show. Each lab
// belongs to the test that brings it up.
package docs
