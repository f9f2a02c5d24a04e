// Package arm emulates Azure Resource Manager for the resources that decide about an NVA's
// routes. Clients reach it over TLS under Azure's own names. Requests and answers pass
// through the fake servers of Azure's SDK, so they have exactly the form that the SDK's
// clients speak; around these the package behaves as Resource Manager does: it checks tokens
// and roles, throttles, takes its time, answers in pages, shows changes late and refuses what
// Azure refuses.
//
// A [Server] owns the operations that are under way, and shares the [State] with whoever
// builds or changes it. What Azure's network does with the State is asked of [Routes]. The
// package shares no code with nvad.
package arm

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// Behaviour says what the Server does besides answering. The zero value answers at once,
// shows changes at once and throttles nobody.
type Behaviour struct {
	// Anyone says that every identity may do everything. Otherwise the roles decide that
	// are assigned in the State.
	Anyone bool
	// Latency passes before each answer.
	Latency time.Duration
	// ReadTime is how long effective, learned and advertised routes take. If it isn't zero,
	// clients get 202 and must poll.
	ReadTime time.Duration
	// WriteTime is how long a change takes.
	WriteTime time.Duration
	// RetryAfter is how long clients are told to wait before they poll, in whole seconds.
	RetryAfter time.Duration
	// Lag is how long reads show what was there before a change.
	Lag time.Duration
	// RouteLag is how long effective, learned and advertised routes show what they were
	// after they were first asked for since a change.
	RouteLag time.Duration
	// PageSize is how many resources a page of a list has, without a limit if zero.
	PageSize int
	// Throttle limits the requests of each identity.
	Throttle Throttle
	// PollRole says that who polls for an operation needs the actions to read operations.
	// Whether Azure checks that is not known.
	PollRole bool
	// ConnectionState says that BGP connections tell their state. Azure leaves it out.
	ConnectionState bool
}

// Server is Resource Manager, and the login service, of one cloud. It is an [http.Handler].
type Server struct {
	State  *State
	Routes Routes

	mu         sync.Mutex
	cloud      token.Cloud
	behaviour  Behaviour
	operations map[string]*operation
	windows    map[string]window // by object ID
	answered   map[string]late   // by resource and action
	faults     []Fault
	requests   []string
	now        func() time.Time
}

// New returns a server of the public cloud.
func New(state *State, routes Routes) *Server {
	return &Server{
		State: state, Routes: routes, cloud: Clouds[0], now: time.Now,
		operations: map[string]*operation{}, windows: map[string]window{}, answered: map[string]late{},
	}
}

// Clouds are Azure's clouds, the public one first.
var Clouds = token.Clouds

// Be makes the server behave otherwise from the next request.
func (s *Server) Be(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
}

func (s *Server) being() Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behaviour
}

// Fault makes a request fail.
type Fault struct {
	// Match is a text within the method and path of the requests that fail, regardless of
	// case; empty: any.
	Match string
	// Times is how many of them fail; 0 means all.
	Times int
	// Status, Code and Message are the answer. RetryAfter goes with it if it isn't empty.
	Status        int
	Code, Message string
	RetryAfter    string
	// Operation says that the request is accepted, and the operation that it begins fails.
	// It has no effect on what is answered at once.
	Operation bool
}

// Fail makes requests fail.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Mend ends all faults.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Requests returns the method and path of each request that has arrived.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.requests...)
}

const (
	maxBody     = 1 << 20
	maxRequests = 10000
)

// faultKey is where a request's context has the fault of its operation.
type faultKey struct{}

// ServeHTTP answers a request to one of the cloud's hosts. Others don't exist.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	fault := s.admit(req)
	time.Sleep(s.being().Latency)
	req.Body = http.MaxBytesReader(w, req.Body, maxBody)
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch {
	case fault != nil && fault.Operation:
		s.manage(w, req.WithContext(context.WithValue(req.Context(), faultKey{}, fault)))
	case fault != nil:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		problem(fault.Status, cmp.Or(fault.Code, "InternalServerError"), "%s", fault.Message).write(w)
	case strings.EqualFold(host, s.cloud.Host):
		s.manage(w, req)
	case strings.EqualFold(host, s.cloud.Login):
		s.login(w, req)
	default:
		problem(http.StatusNotFound, "NotFound", "There is no host %s here.", host).write(w)
	}
}

func (s *Server) admit(req *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := req.Method + " " + req.URL.Path
	if len(s.requests) < maxRequests {
		s.requests = append(s.requests, line)
	}
	for i := range s.faults {
		f := s.faults[i]
		if !strings.Contains(strings.ToLower(line), strings.ToLower(f.Match)) {
			continue
		}
		if f.Times == 1 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		} else if f.Times > 1 {
			s.faults[i].Times--
		}
		return &f
	}
	return nil
}
