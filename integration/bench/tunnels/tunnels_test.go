package tunnels

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

var (
	rounds = flag.Int("rounds", 1, "how often each tunnel is measured")
	length = flag.Duration("time", time.Second, "how long one transfer takes")
)

// figures holds what was measured of one way, a value for each round.
type figures struct {
	gigabits []float64 // a second, of one TCP stream
	busy     []float64 // processor seconds of both nvads and both iperf3s for each gigabyte
	median   []float64 // of the delay there and back, in microseconds
	p99      []float64
}

// TestTunnels measures each way, and prints a table. It promises no figures: it fails if a tunnel
// carries nothing.
func TestTunnels(t *testing.T) {
	b := newBed(t)
	measured := make([]figures, len(ways))
	for range *rounds {
		for i, way := range ways {
			f := &measured[i]
			gigabits, busy := b.transfer(way.to)
			median, p99 := b.delay(way.to)
			f.gigabits, f.busy = append(f.gigabits, gigabits), append(f.busy, busy)
			f.median, f.p99 = append(f.median, median), append(f.p99, p99)
		}
	}
	t.Logf("medians of %d rounds; in parentheses beside plain VXLAN, of pairs in the same round\n%s\n%s",
		*rounds, table(measured), b.encryption())
}

// encryption says who has encrypted, and what that leaves open.
func (b *bed) encryption() string {
	if b.kernel {
		return "WireGuard: in the kernel. WireGuard in nvad's process: not measured here, because nvad uses the kernel's if there is one."
	}
	return "WireGuard: in nvad's process. WireGuard in the kernel: not measured here, because this kernel has none."
}

// transfer sends one TCP stream, and returns its gigabits a second and the processor time that both
// nvads and both iperf3s spent for each gigabyte. What the kernel does for a packet counts to the
// process that sent it, for the most part.
func (b *bed) transfer(to string) (gigabits, busy float64) {
	b.Helper()
	server := b.Spawn("b", "iperf3-server", "iperf3", "-s", "-1", "-B", to)
	b.Eventually(5*time.Second, func() error {
		out, err := netbed.Try(b.Command("b", "ss", "-Hltn", "sport", "=", ":5201"))
		if err == nil && out == "" {
			err = errors.New("iperf3 does not listen")
		}
		return err
	})
	before := b.processorTime()
	out := b.In("a", "iperf3", "-c", to, "-t", fmt.Sprint(length.Seconds()), "-J")
	spent := b.processorTime() - before
	server.Ended()
	var result struct {
		End struct {
			Sum struct {
				Bytes         float64
				Seconds       float64
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
			CPU struct {
				Host   float64 `json:"host_total"`
				Remote float64 `json:"remote_total"`
			} `json:"cpu_utilization_percent"`
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		b.T.Fatalf("%v in %s", err, out)
	}
	sum, cpu := result.End.Sum, result.End.CPU
	if sum.Bytes == 0 {
		b.T.Fatalf("nothing got to %s: %s", to, out)
	}
	seconds := spent.Seconds() + (cpu.Host+cpu.Remote)/100*sum.Seconds
	return sum.BitsPerSecond / 1e9, seconds / (sum.Bytes / 1e9)
}

// ticks is the unit of /proc/PID/stat, USER_HZ.
const ticks = time.Second / 100

// processorTime returns how long both nvads have run.
func (b *bed) processorTime() time.Duration {
	b.Helper()
	var sum time.Duration
	for _, pid := range b.nvads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.T.Fatal(err)
		}
		_, fields, _ := strings.Cut(string(text), ") ") // the first is the third, state
		for _, field := range strings.Fields(fields)[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.T.Fatal(err)
			}
			sum += time.Duration(n) * ticks
		}
	}
	return sum
}

var delays = regexp.MustCompile(`time=([0-9.]+) ms`)

// delay returns median and 99th percentile of the way there and back, in microseconds, while
// nothing else uses it.
func (b *bed) delay(to string) (median, p99 float64) {
	b.Helper()
	var list []float64
	for _, m := range delays.FindAllStringSubmatch(b.In("a", "ping", "-c", "500", "-i", "0.002", to), -1) {
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			b.T.Fatal(err)
		}
		list = append(list, ms*1000)
	}
	if len(list) == 0 {
		b.T.Fatalf("%s does not answer", to)
	}
	slices.Sort(list)
	return list[len(list)/2], list[len(list)*99/100]
}

func table(measured []figures) string {
	rows := [][]string{{"", "Gbit/s", "processor s/GB", "delay p50 us", "delay p99 us"}}
	for i, way := range ways {
		f, plain := measured[i], measured[0]
		rows = append(rows, []string{way.name, cell(f.gigabits, plain.gigabits), cell(f.busy, plain.busy), cell(f.median, plain.median), cell(f.p99, plain.p99)})
	}
	return lab.Table(rows)
}

// cell returns "1.93 (0.31)": the median, and the median of the ratios to plain VXLAN in the same
// rounds.
func cell(list, plain []float64) string {
	var ratios []float64
	for i, v := range list {
		ratios = append(ratios, v/plain[i])
	}
	return fmt.Sprintf("%.3g (%.2f)", middle(list), middle(ratios))
}

func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
