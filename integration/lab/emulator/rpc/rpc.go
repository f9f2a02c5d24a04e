// Package rpc carries JSON over HTTP on unix sockets. A unix socket with a path can be reached
// from every network namespace, so the emulator's processes and the tests can talk without
// touching the networks under test.
package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Serve serves handler on the unix socket at path until ctx is done.
func Serve(ctx context.Context, path string, handler http.Handler) error {
	return ServeOn(ctx, "unix", path, handler)
}

// ServeOn serves handler on an address of a network until ctx is done.
func ServeOn(ctx context.Context, network, at string, handler http.Handler) error {
	listener, err := net.Listen(network, at)
	if err != nil {
		return fmt.Errorf("serve %s: %w", at, err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", at, err)
	}
	return nil
}

// Handle registers a getter: the value that get returns is sent as JSON.
func Handle[T any](mux *http.ServeMux, pattern string, get func(*http.Request) (T, error)) {
	mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, req *http.Request) {
		value, err := get(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	})
}

// maxBody is more than any value that is sent.
const maxBody = 64 << 20

// Receive registers a setter: set gets the value that was sent as JSON. pattern begins with the
// method.
func Receive[T any](mux *http.ServeMux, pattern string, set func(*T) error) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		value := new(T)
		err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxBody)).Decode(value)
		if err == nil {
			err = set(value)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
}

// Client returns an HTTP client for the unix socket at path.
func Client(path string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// Send sends value as JSON to what is behind pattern at the unix socket at path.
func Send(ctx context.Context, path, method, pattern string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://lab"+pattern, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send %s: %w", pattern, err)
	}
	resp, err := Client(path).Do(req)
	if err != nil {
		return fmt.Errorf("send %s: %w", pattern, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("send %s to %s: %s: %s", pattern, path, resp.Status, reason)
	}
	return nil
}

// Get fetches the JSON value behind pattern from the unix socket at path.
func Get[T any](ctx context.Context, path, pattern string) (T, error) {
	var value T
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lab"+pattern, nil)
	if err != nil {
		return value, fmt.Errorf("get %s: %w", pattern, err)
	}
	resp, err := Client(path).Do(req)
	if err != nil {
		return value, fmt.Errorf("get %s: %w", pattern, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return value, fmt.Errorf("get %s from %s: %s: %s", pattern, path, resp.Status, reason)
	}
	if err := json.NewDecoder(resp.Body).Decode(&value); err != nil {
		return value, fmt.Errorf("get %s: %w", pattern, err)
	}
	return value, nil
}
