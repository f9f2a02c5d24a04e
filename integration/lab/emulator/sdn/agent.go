// Package sdn emulates the software-defined network of one VNet. It computes the effective
// routes of every NIC from the routes that the VNet's Route Server instances and gateway have
// learned, and programs them into the kernel of the VNet's router namespace.
//
// All NICs share these routes, including the NVA's own. This is why a packet loops if an NVA
// sends it back un-encapsulated. Only user-defined routes differ from subnet to subnet.
package sdn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// agent owns the VNet's routes.
type agent struct {
	config Config

	mu    sync.Mutex
	feeds map[string][]Learned
	damp  dampener
	// later programs the delayed changes.
	later *time.Timer
	// healthy lists the load balancers' backends that answer, by frontend.
	healthy map[netip.Addr][]netip.Addr
	// subnets lists the subnets with user-defined routes, followed by one entry for all
	// others.
	subnets []*subnet
}

// subnet has the effective routes of the NICs in one subnet, and the kernel table that
// contains them.
type subnet struct {
	prefix    netip.Prefix
	rules     Subnet
	effective []EffectiveRoute
	kernel    kernel
}

// Run serves one VNet in the network namespace it is started in, until ctx is
// done.
//
//	GET  /effective?nic=ADDR  the effective routes of a NIC
//	PUT  /route-table         a RouteTable, in place of the one that its subnet has
//	POST /feed/{name}         a stream of route lists, each replacing the one
//	                          before; the routes go when the stream ends
func Run(ctx context.Context, config Config) error {
	a := newAgent(config)
	for _, s := range a.subnets {
		if err := s.kernel.flush(); err != nil {
			return err
		}
	}
	a.update()
	for _, b := range config.LoadBalancers {
		go a.watch(ctx, b)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /feed/{name}", a.feed)
	rpc.Receive(mux, "PUT /route-table", func(t *RouteTable) error { return a.setTable(*t) })
	rpc.Handle(mux, "/effective", func(req *http.Request) ([]EffectiveRoute, error) {
		nic, err := netip.ParseAddr(req.FormValue("nic"))
		if err != nil {
			return nil, err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.subnetOf(nic).effective, nil
	})
	return rpc.Serve(ctx, config.Socket, mux)
}

func newAgent(config Config) *agent {
	a := &agent{config: config, feeds: map[string][]Learned{}, healthy: map[netip.Addr][]netip.Addr{}}
	a.damp = dampener{window: config.Dampening, last: map[netip.Prefix]damped{}}
	rules := Subnet{Space: []netip.Prefix{config.Prefix}, Peerings: config.Peerings}
	for _, t := range config.RouteTables {
		own := rules
		own.User, own.NoPropagation, own.NoPeeringRoutes = t.Routes, t.NoPropagation, t.NoPeeringRoutes
		a.subnets = append(a.subnets, &subnet{prefix: t.Subnet, rules: own, kernel: kernel{ports: config.Ports, table: t.Kernel}})
	}
	a.subnets = append(a.subnets, &subnet{rules: rules, kernel: kernel{ports: config.Ports, table: mainTable}})
	return a
}

func (a *agent) subnetOf(nic netip.Addr) *subnet {
	for _, s := range a.subnets {
		if s.prefix.Contains(nic) {
			return s
		}
	}
	return a.subnets[len(a.subnets)-1]
}

// setTable changes the route table of a subnet that has one.
func (a *agent) setTable(t RouteTable) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.subnets {
		if s.prefix.IsValid() && s.prefix == t.Subnet {
			s.rules.User, s.rules.NoPropagation = t.Routes, t.NoPropagation
			a.updateLocked()
			return nil
		}
	}
	return fmt.Errorf("subnet %s has no route table", t.Subnet)
}

func (a *agent) feed(_ http.ResponseWriter, req *http.Request) {
	name := req.PathValue("name")
	defer a.set(name, nil)
	for dec := json.NewDecoder(req.Body); ; {
		var routes []Learned
		if err := dec.Decode(&routes); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				slog.Error("bad feed", "name", name, "error", err)
			}
			return
		}
		a.set(name, routes)
	}
}

func (a *agent) set(name string, routes []Learned) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.feeds[name] = routes
	a.updateLocked()
}

func (a *agent) update() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.updateLocked()
}

func (a *agent) updateLocked() {
	var learned []Learned
	for _, routes := range a.feeds {
		learned = append(learned, routes...)
	}
	learned, again := a.damp.pass(learned, time.Now())
	if a.later != nil {
		a.later.Stop()
	}
	if again > 0 {
		a.later = time.AfterFunc(again, a.update)
	}
	for _, s := range a.subnets {
		s.effective = Effective(s.rules, learned)
		if err := s.kernel.sync(a.balanced(s.effective)); err != nil {
			slog.Error("could not program the VNet", "vnet", a.config.VNet, "error", err)
		}
	}
}

// Feed sends the routes of one speaker to the agents behind sockets, and lists them again
// after each value from changed. It returns when ctx is done or an agent is gone.
func Feed(ctx context.Context, sockets []string, name string, changed <-chan struct{}, list func() ([]Learned, error)) error {
	tasks, ctx := errgroup.WithContext(ctx)
	var outs []io.Writer
	for _, socket := range sockets {
		body, out := io.Pipe()
		outs = append(outs, out)
		context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
		tasks.Go(func() error { return post(ctx, socket, name, body) })
	}
	tasks.Go(func() error { return write(ctx, io.MultiWriter(outs...), changed, list) })
	return tasks.Wait()
}

func post(ctx context.Context, socket, name string, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lab/feed/"+name, body)
	if err != nil {
		return fmt.Errorf("feed %s: %w", name, err)
	}
	resp, err := rpc.Client(socket).Do(req)
	if err != nil {
		return fmt.Errorf("feed %s: %w", name, err)
	}
	return resp.Body.Close()
}

func write(ctx context.Context, out io.Writer, changed <-chan struct{}, list func() ([]Learned, error)) error {
	enc := json.NewEncoder(out)
	for {
		routes, err := list()
		if err != nil {
			return err
		}
		if err := enc.Encode(routes); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
