//go:build !race

package dataplane_test

import "time"

// healTime is how soon what another program broke is back.
const healTime = time.Second
