package prometheus

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

const configuration = `asn = 65001
router-id = "10.0.0.4"
[health]
listen = ["127.0.0.1:8080"]
min-established = { route-server = 1 }
[metrics]
listen = ["127.0.0.1:9179"]
[[tunnel]]
name = "vxlan0"
vni = 77
device = "eth0"
remotes = ["10.0.0.9"]
address = "169.254.0.1/24"
[[static-route]]
prefix = "10.0.210.0/24"
via = "10.0.0.1"
[peer-group.route-server]
remote-asn = 65515
ebgp-multihop = 255
domain = "ars-hub00"
maximum-prefix = 4000
import = "accept"
export = "accept"
[[neighbor]]
address = "10.0.210.4"
peer-group = "route-server"
[[neighbor]]
address = "10.0.210.5"
peer-group = "route-server"
[[neighbor]]
address = "169.254.0.2"
remote-asn = 65001
bfd = true
`

const scraping = `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [%s]
scrape_configs:
  - job_name: nvad
    static_configs: [{ targets: ["127.0.0.1:9179"] }]
`

// configs returns the path of a shipped configuration file.
func configs(t *testing.T, name string) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "configs", name)
}

// The alert rules are valid, and fire when they should and only then.
func TestRules(t *testing.T) {
	lab.RequireCommands(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "nvad.rules.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "nvad.rules.test.yml"},
	} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = configs(t, "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	rules := read(t, "prometheus/nvad.rules.yml")
	tests := read(t, "prometheus/nvad.rules.test.yml")
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(tests, "alertname: "+m[1]+"\n") {
			t.Errorf("%s has no test", m[1])
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(configs(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Prometheus scrapes nvad, evaluates the rules without an error, and has every metric that
// rules and dashboard use.
func TestScrape(t *testing.T) {
	lab.RequireCommands(t, "curl", "prometheus")
	b := newBed(t)
	b.query(`nvad_neighbor_established{job="nvad",peer_group="route-server"}`, 2)
	b.query(`up{job="nvad"} == 1`, 1)
	b.query(`nvad_healthy == 0`, 1)
	b.query(`nvad_fib_routes_installed == 1 and nvad_fib_routes_wanted == 1`, 1)
	b.query(`nvad_tunnel_up{tunnel="vxlan0"} == 1`, 1)
	b.query(`nvad_bfd_up{neighbor="169.254.0.2"} == 0`, 1)

	names := map[string]bool{}
	for _, file := range []string{"prometheus/nvad.rules.yml", "grafana/nvad.json"} {
		for _, name := range regexp.MustCompile(`\b(nvad|go|process)_[a-z_]+\b`).FindAllString(read(t, file), -1) {
			names[name] = true
		}
	}
	if len(names) < 30 {
		t.Errorf("rules and dashboard name only %d metrics", len(names))
	}
	for name := range names {
		b.query(name, -1)
	}
	b.rules()
	for _, expr := range expressions(t) {
		b.ask("/api/v1/query?query=" + url.QueryEscape(expr))
	}
}

// expressions returns the queries of the dashboard with its variables filled in.
func expressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/nvad.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out = append(out, strings.NewReplacer("$job", "nvad", "$instance", ".+").Replace(target.Expr))
		}
	}
	if len(out) < 20 {
		t.Errorf("the dashboard has only %d queries", len(out))
	}
	return out
}

// bed is nvad and Prometheus in a namespace.
type bed struct{ *netbed.Bed }

func newBed(t *testing.T) bed {
	t.Helper()
	b := bed{netbed.New(t, "nva", "far")}
	b.Join("nva", "eth0", []string{"10.0.0.4/24"}, "far", "eth0", nil)
	b.Write("nvad.toml", configuration)
	b.Write("prometheus.yml", fmt.Sprintf(scraping, configs(t, "prometheus/nvad.rules.yml")))
	b.Nvad("nva", "nvad")
	b.Spawn("nva", "prometheus", "prometheus", "--config.file="+b.Path("prometheus.yml"), "--storage.tsdb.path="+b.Path("data"),
		"--web.listen-address=127.0.0.1:9090", "--log.level=warn")
	return b
}

// get sends a request to Prometheus.
func (b bed) get(path string, into any) error {
	out, err := netbed.Try(b.Command("nva", "curl", "-s", "--globoff", "http://127.0.0.1:9090"+path))
	if err != nil {
		return err
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

func (b bed) ask(path string) {
	b.Helper()
	var any json.RawMessage
	if err := b.get(path, &any); err != nil {
		b.Error(err)
	}
}

// query waits until a query has want results; -1: any number.
func (b bed) query(expr string, want int) {
	b.Helper()
	lab.Eventually(b, 60*time.Second, func() error {
		var data struct{ Result []json.RawMessage }
		if err := b.get("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
			return err
		}
		if n := len(data.Result); n != want && (want >= 0 || n == 0) {
			return fmt.Errorf("%s has %d results, want %d", expr, n, want)
		}
		return nil
	})
}

// rules waits until every rule has been evaluated without an error. For an NVA whose sessions
// are down, there must be an alert.
func (b bed) rules() {
	b.Helper()
	lab.Eventually(b, 60*time.Second, func() error {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
		if err := b.get("/api/v1/rules", &data); err != nil {
			return err
		}
		var firing []string
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return fmt.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
				}
				if r.State != "inactive" {
					firing = append(firing, r.Name)
				}
			}
		}
		slices.Sort(firing)
		for _, name := range []string{"NvadNeighborDown", "NvadPeerGroupDown", "NvadUnhealthy"} {
			if !slices.Contains(firing, name) {
				return fmt.Errorf("%s neither fires nor is about to; %v do", name, firing)
			}
		}
		return nil
	})
}
