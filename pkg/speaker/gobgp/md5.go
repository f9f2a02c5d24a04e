package gobgp

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// md5Hint is added to the reason of an attempt that got no answer, where the
// kernel has counted segments with a wrong signature meanwhile: it drops them
// without a word (RFC 2385 2), on both sides.
const md5Hint = " (TCP-MD5 failures are counted: check the password)"

// netstat is where Linux counts them, for the network namespace as a whole.
const netstat = "/proc/thread-self/net/netstat"

// md5Failures is how many segments were dropped for their signature: absent or
// wrong where a key is set, there where none is.
type md5Failures struct{ keyed, keyless uint64 }

// md5Reader reads the counters at most ten times a second, however many neighbors
// do not answer.
type md5Reader struct {
	mu   sync.Mutex
	at   time.Time
	last md5Failures
}

func (r *md5Reader) read(now time.Time) md5Failures {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.at) >= firstPause {
		r.at, r.last = now, readMD5Failures()
	}
	return r.last
}

// readMD5Failures is zero where the kernel does not tell.
func readMD5Failures() md5Failures {
	data, err := os.ReadFile(netstat)
	if err != nil {
		return md5Failures{}
	}
	return parseMD5Failures(string(data))
}

// parseMD5Failures reads lines in pairs: names, then values.
func parseMD5Failures(text string) (m md5Failures) {
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j := range min(len(names), len(values)) {
			n, _ := strconv.ParseUint(values[j], 10, 64)
			switch names[j] {
			case "TCPMD5NotFound", "TCPMD5Failure":
				m.keyed += n
			case "TCPMD5Unexpected":
				m.keyless += n
			}
		}
	}
	return m
}

// md5Suspect reports whether failures since before may explain that the neighbor
// does not answer. Those of another neighbor count too: it is a hint.
func (p *peer) md5Suspect(now md5Failures) bool {
	if p.cfg.Password != "" {
		return now.keyed > p.md5Before.keyed
	}
	return now.keyless > p.md5Before.keyless
}
