// Package metadata emulates Azure's instance metadata service. It answers real HTTP requests
// with the documented JSON, statuses and limits, and recognizes a VM by the address that asks.
// VMs with managed identities get access tokens. Tests can make it fail as the real one does
// while a machine starts or the service is updated.
//
// A Server owns its VMs and scheduled events. It shares no code with nvad's client.
package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Address is where the service listens, in every VNet.
const Address = "169.254.169.254:80"

// rateLimit is how many requests of one VM are answered each second.
const rateLimit = 5

// VM describes a virtual machine to the service.
type VM struct {
	Name string
	// ID is its resource ID. Without one, the service names the resource group rg-nva and no
	// subscription.
	ID string
	// Environment is the name of its cloud; empty: AzurePublicCloud.
	Environment string
	// Location is empty for japaneast.
	Location string
	Tags     map[string]string
	// Tenant is the directory of its identities.
	Tenant     string
	Identities []Identity
	// NICs begins with the primary NIC. Only its first address may send requests.
	NICs []NIC
}

// NIC is a NIC of a VM.
type NIC struct {
	MAC       net.HardwareAddr
	Addresses []netip.Addr
	Subnet    netip.Prefix
}

// Server is the service of one VNet. It is an [http.Handler].
type Server struct {
	mu     sync.Mutex
	vms    map[netip.Addr]VM
	asked  map[netip.Addr][]time.Time // times of the requests within the last second
	faults []Fault
	count  int
	life   time.Duration // of tokens
	events events
}

// Fault makes a request fail.
type Fault struct {
	// Delay passes before the answer.
	Delay time.Duration
	// Status is the status of the answer; 0 means the regular answer.
	Status int
}

// New returns a service that knows vms.
func New(vms ...VM) *Server {
	s := &Server{vms: map[netip.Addr]VM{}, asked: map[netip.Addr][]time.Time{}, life: tokenLife}
	for _, vm := range vms {
		s.vms[vm.NICs[0].Addresses[0]] = vm
	}
	s.events.incarnation = 1
	return s
}

// Fail makes the next requests meet one fault each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Requests returns how many requests have arrived.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// ServeHTTP answers a request. A request that does not come from a primary address gets no
// answer at all.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	from := netip.MustParseAddrPort(req.RemoteAddr).Addr().Unmap()
	vm, fault, known := s.admit(from)
	if !known {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(fault.Delay)
	switch status, text := refused(req); {
	case fault.Status != 0:
		fail(w, fault.Status, "")
	case status != 0:
		fail(w, status, text)
	case s.tooOften(from):
		fail(w, http.StatusTooManyRequests, "Too many requests")
	default:
		s.answer(w, req, vm)
	}
}

func (s *Server) admit(from netip.Addr) (VM, Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	vm, known := s.vms[from]
	var fault Fault
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	return vm, fault, known
}

func (s *Server) tooOften(from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	recent := s.asked[from]
	for len(recent) > 0 && now.Sub(recent[0]) > time.Second {
		recent = recent[1:]
	}
	s.asked[from] = append(recent, now)
	return len(recent) >= rateLimit
}

// refused returns the status and text for a request that is wrong on any path.
func refused(req *http.Request) (int, string) {
	switch {
	case req.Header.Get("Metadata") != "true":
		return http.StatusBadRequest, "Bad request. Required metadata header not specified"
	case req.Header.Get("X-Forwarded-For") != "":
		return http.StatusBadRequest, "Bad request. X-Forwarded-For is not allowed"
	case req.URL.Query().Get("api-version") == "":
		return http.StatusBadRequest, "Bad request. api-version is invalid or was not specified in the request"
	}
	return 0, ""
}

func (s *Server) answer(w http.ResponseWriter, req *http.Request, vm VM) {
	events := strings.EqualFold(req.URL.Path, "/metadata/scheduledevents")
	switch {
	case req.Method == http.MethodPost && events:
		s.approve(w, req)
	case req.Method != http.MethodGet:
		fail(w, http.StatusMethodNotAllowed, "Method not allowed")
	case events:
		send(w, s.document())
	case req.URL.Path == "/metadata/instance":
		send(w, vm.instance())
	case req.URL.Path == "/metadata/identity/oauth2/token":
		s.issue(w, req, vm)
	default:
		fail(w, http.StatusNotFound, "Not found")
	}
}

func send(w http.ResponseWriter, value any) { sendStatus(w, http.StatusOK, value) }

func fail(w http.ResponseWriter, status int, text string) {
	if text == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		return
	}
	sendStatus(w, status, map[string]string{"error": text})
}

func sendStatus(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// Listen opens the service's address in a network namespace that has it. within runs its
// argument in that namespace.
func Listen(within func(func() error) error) (net.Listener, error) {
	var l net.Listener
	err := within(func() (err error) {
		l, err = net.Listen("tcp4", Address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("metadata service: %w", err)
	}
	return l, nil
}

// Serve answers on l until it is closed.
func (s *Server) Serve(l net.Listener) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	if err := srv.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
