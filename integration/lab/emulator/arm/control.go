package arm

import (
	"encoding/json"
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
	replace(mux, "/state", func(next *State) { s.State.replace(next) })
	replace(mux, "/behaviour", func(next *Behaviour) { s.Be(*next) })
	replace(mux, "/faults", func(next *[]Fault) {
		s.Mend()
		s.Fail(*next...)
	})
	return mux
}

const maxControl = 64 << 20

func replace[T any](mux *http.ServeMux, path string, with func(*T)) {
	mux.HandleFunc("PUT "+path, func(w http.ResponseWriter, req *http.Request) {
		next := new(T)
		if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxControl)).Decode(next); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		with(next)
	})
}

// replace gives s the contents of next.
func (s *State) replace(next *State) {
	c := next.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resources, s.hops, s.grants, s.stale = c.resources, c.hops, c.grants, c.stale
}
