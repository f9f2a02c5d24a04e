//go:build race

package dataplane_test

import "time"

// healTime is generous under the race detector, which is many times as slow and
// shares the machine with other packages' tests.
const healTime = 10 * time.Second
