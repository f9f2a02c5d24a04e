//go:build race

package dataplane_test

import "time"

// healTime is generous under the race detector, which makes nvad many times slower and shares
// the machine with the tests of other packages.
const healTime = 10 * time.Second
