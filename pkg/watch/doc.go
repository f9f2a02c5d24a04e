// Package watch hands what changes, as it changes, to those who watch.
//
// Promise: whoever publishes never waits. What a reader is too slow for is dropped,
// and the reader is told how much that was. While nobody watches routes, asking
// [Hub.Wants] is all that a change of a route costs. The latest changes of neighbors
// and tunnels, which are rare, are kept.
//
// The package decides nothing and formats nothing. [Hub] owns the lists of readers.
package watch
