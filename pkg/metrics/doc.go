// Package metrics tells Prometheus in numbers what nvad does.
//
// Promise: a scrape reads what others have counted as it happened, and never walks
// a table or waits for the forwarding plane; one that the engine does not answer in
// time fails as a whole, so that no half of it is taken for the truth. Every metric
// stands in one table, from which docs/metrics.md is made.
//
// It counts nothing itself and decides nothing.
package metrics
