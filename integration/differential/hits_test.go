package differential

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/pkg/policy"
)

// What a run must reach to count. If a policy denied everything, or no route ever reached it,
// the result would be the same for both daemons.
const (
	leastHits       = 20
	leastAcceptance = 30 // percent
)

// coverage counts, over a run, the routes that matched a clause with a key, according to FRR.
type coverage struct {
	hits              map[string]int
	cases             int
	announced, passed int
}

// evaluated matches FRR's log line about one clause that it compared a route with.
var evaluated = regexp.MustCompile(`(?:Route-map: |Best match route-map: )(\S+), sequence: (\d+)(?:,| for) (?:prefix|pfx): (\S+), result: (.*)$`)

// clauseAt is a clause of the case and a prefix that it matched.
type clauseAt struct {
	name   string
	seq    int
	prefix string
}

// matchedClauses reads FRR's log. A route that was compared with the same clause several
// times, for another neighbor or again, counts once.
func matchedClauses(t *testing.T, log string) map[clauseAt]bool {
	t.Helper()
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[clauseAt]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m := evaluated.FindStringSubmatch(lines.Text())
		if m == nil || strings.TrimSpace(m[4]) != "match" {
			continue
		}
		seq, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		out[clauseAt{m[1], seq, m[3]}] = true
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// add counts a case.
func (c *coverage) add(t *testing.T, drawn *gen.Case, log string, accepted facts) {
	t.Helper()
	clauses := map[clauseAt]*policy.Clause{}
	for name, m := range drawn.Library.RouteMaps {
		for i := range m {
			clauses[clauseAt{name: name, seq: m[i].Seq}] = &m[i]
		}
	}
	for at := range matchedClauses(t, log) {
		if clause := clauses[clauseAt{name: at.name, seq: at.seq}]; clause != nil {
			for _, key := range drawn.Keys(clause) {
				c.hits[key]++
			}
		}
	}
	c.cases++
	for _, n := range drawn.Neighbors {
		c.announced += len(n.Routes)
	}
	for f := range accepted {
		if f.where == "table" {
			c.passed++
		}
	}
}

// report prints the counts and fails the test if they are too low.
func (c *coverage) report(t *testing.T) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%d cases, %d routes announced, %d accepted (%d %%); routes that matched, by clause:\n",
		c.cases, c.announced, c.passed, 100*c.passed/max(1, c.announced))
	for _, key := range gen.AllKeys() {
		fmt.Fprintf(&text, "  %-36s %6d\n", key, c.hits[key])
	}
	t.Log(text.String())
	if 100*c.passed < leastAcceptance*c.announced {
		t.Errorf("only %d of %d routes were accepted", c.passed, c.announced)
	}
	for _, key := range gen.AllKeys() {
		if c.hits[key] < leastHits {
			t.Errorf("%q was matched %d times, want %d", key, c.hits[key], leastHits)
		}
	}
}
