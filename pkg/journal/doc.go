// Package journal keeps what happened, so that an operator can ask tomorrow what a prefix
// was like at 03:12.
//
// It stores records of octets under keys, and knows nothing of what they mean: package api
// makes them of events, and events of them.
package journal
