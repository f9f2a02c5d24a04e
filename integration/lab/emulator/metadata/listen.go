package metadata

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Listen opens the service's address in a network namespace that has it; within
// runs its argument there.
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
