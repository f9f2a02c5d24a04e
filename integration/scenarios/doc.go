// Package scenarios holds the acceptance tests of the lab's scenarios, one file
// each: it comes up with the NVAs and configurations that `make lab` gives it,
// what it shows is printed, and what the article shows is checked. The two hubs
// are in package twohubs. Labs do not meet, so they run side by side; only the
// one that measures outages has the machine to itself.
package scenarios
