package gobgp

import "golang.org/x/sys/unix"

// Share of the descriptors that the process may have which neighbors cannot take,
// however many connections they open: what talks to the kernel, to operators and
// to health probes lives on it.
const (
	descriptorShare = 4 // one in four
	fewDescriptors  = 64
)

// descriptorLimit is the least number that the descriptor of an accepted
// connection must not have. The kernel always gives the lowest that is free, so
// a number is also a count.
func descriptorLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fewDescriptors
	}
	most := int(min(limit.Cur, 1<<20))
	return max(most-most/descriptorShare, fewDescriptors)
}
