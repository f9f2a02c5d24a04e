package arm

import (
	"net/http"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// Control is how the lab and its tests look at and change an emulator that runs in another
// process:
//
//	GET /            answers
//	GET /state       the State
//	PUT /state       replaces it
//	PUT /behaviour   replaces the Behaviour
//	PUT /faults      replaces the faults
//	GET /requests    the requests that have arrived
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	rpc.Handle(mux, "/{$}", func(*http.Request) (string, error) { return "ready", nil })
	rpc.Handle(mux, "/state", func(*http.Request) (*State, error) { return s.State, nil })
	rpc.Handle(mux, "/requests", func(*http.Request) ([]string, error) { return s.Requests(), nil })
	rpc.Receive(mux, "PUT /state", func(next *State) error {
		s.State.replace(next)
		return nil
	})
	rpc.Receive(mux, "PUT /behaviour", func(next *Behaviour) error {
		s.Be(*next)
		return nil
	})
	rpc.Receive(mux, "PUT /faults", func(next *[]Fault) error {
		s.Mend()
		s.Fail(*next...)
		return nil
	})
	return mux
}

// replace gives s the contents of next.
func (s *State) replace(next *State) {
	c := next.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resources, s.hops, s.grants, s.stale = c.resources, c.hops, c.grants, c.stale
}
