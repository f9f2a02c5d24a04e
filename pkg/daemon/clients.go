package daemon

import (
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/listen"
)

// clients bounds what those hold that ask this daemon something: the rest of its
// descriptors is for sessions, the kernel and files.
type clients struct {
	http, tcp, unix *listen.Pool
	calls           *api.Limits
}

// Most connections, where there are descriptors enough.
const (
	mostHTTP     = 256
	mostHTTPEach = 32 // of one address; a probe and a scraper need one or two
	mostTCP      = 128
	mostTCPEach  = 32
	mostUnix     = 128
	mostUnixEach = 64 // of one user
	tlsRate      = 16 // handshakes of one address in a second: each costs a signature
)

func newClients() *clients {
	return clientsFor(descriptors())
}

// clientsFor shares a quarter of the descriptors out to clients: half of it to
// HTTP, the rest to the API.
func clientsFor(limit uint64) *clients {
	share := func(most int, part uint64) int { return int(min(uint64(most), max(4, limit/part))) }
	pool := func(total, each int) listen.Limits {
		return listen.Limits{Total: total, Each: min(each, max(2, total/2))}
	}
	overTCP := pool(share(mostTCP, 16), mostTCPEach)
	overTCP.Rate = tlsRate
	return &clients{
		http:  listen.NewPool(pool(share(mostHTTP, 8), mostHTTPEach), nil),
		tcp:   listen.NewPool(overTCP, nil),
		unix:  listen.NewPool(pool(share(mostUnix, 16), mostUnixEach), api.UserOf),
		calls: api.NewLimits(),
	}
}

// descriptors is how many files this process may have open.
func descriptors() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024 // what every process is given
	}
	return r.Cur
}
