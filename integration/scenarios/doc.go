// Package scenarios contains the acceptance tests of the lab's scenarios, one file each. A
// test brings the scenario up with the NVAs and configurations that `make lab` gives it,
// prints what the scenario shows, and checks it against the article. The two hubs are in
// package twohubs. Labs do not affect each other, so they run in parallel; only the one that
// measures outages has the machine to itself.
package scenarios
