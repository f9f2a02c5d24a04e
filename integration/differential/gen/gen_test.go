package gen

import (
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

// TestCaseParses checks that nvad reads back the configuration that was drawn.
func TestCaseParses(t *testing.T) {
	for seed := range uint64(50) {
		c := New(seed, 60)
		cfg, err := config.Parse("case.toml", []byte(c.Nvad()))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if again := string(config.Print(cfg, false)); again != c.Nvad() {
			t.Fatalf("seed %d: the configuration changes when it is read", seed)
		}
	}
}

// TestCaseIsItsSeed: the same seed gives the same case.
func TestCaseIsItsSeed(t *testing.T) {
	for seed := range uint64(5) {
		a, b := New(seed, 60), New(seed, 60)
		if a.FRR() != b.FRR() || a.Nvad() != b.Nvad() {
			t.Fatalf("seed %d gives two cases", seed)
		}
	}
}

// TestEveryKeyIsDrawn: a case uses everything in the common part, and nothing that is missing
// in the list of all keys.
func TestEveryKeyIsDrawn(t *testing.T) {
	all := map[string]int{}
	for _, key := range AllKeys() {
		all[key] = 0
	}
	for seed := range uint64(6) {
		c := New(seed, 60)
		for _, m := range c.Library.RouteMaps {
			for i := range m {
				for _, key := range c.Keys(&m[i]) {
					if _, ok := all[key]; !ok {
						t.Fatalf("%q is not among all keys", key)
					}
					all[key]++
				}
			}
		}
	}
	for key, n := range all {
		if n < 3 {
			t.Errorf("%q occurs %d times", key, n)
		}
	}
}
