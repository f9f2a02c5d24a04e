//go:build !race

package dataplane_test

import "time"

// healTime is the time within which nvad repairs what another program has broken.
const healTime = time.Second
